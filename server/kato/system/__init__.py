"""Operations of the operating system that several packages need and that have no state of their own."""
