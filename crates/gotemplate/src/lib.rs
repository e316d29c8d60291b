//! Go's text/template: lex, parse and execute over typed values, with positions and origins.
