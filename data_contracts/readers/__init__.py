"""Files as they are written, to rows of text: one module a kind of file. What cannot be read is refused whole."""
