//! The allocator of a program that names this room: `use landfall_heap as _;`.
//!
//! Rendering is made of small values that live shortly; the system's allocator takes a quarter of its time. What every
//! allocation goes through is compiled in the crate that declares the allocator, and `landfall` is not optimised.

#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;
