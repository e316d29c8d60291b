//! The Sprig function library as Helm exposes it.
