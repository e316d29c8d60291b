//! How the binary is linked.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    // What leans on no library is linked so by rustc itself (`cargo xtask dist`).
    let is_static = target("FEATURE").split(',').any(|feature| feature == "crt-static");
    if target("OS") == "linux" && target("ENV") == "gnu" && !is_static {
        // At an address of its own choice each start would first correct 70,000 pointers, which costs a small chart a
        // sixth of its time. At a fixed one, as Go's binaries have, they are right in the file and read when needed;
        // the stack, the heap and the libraries stay where chance puts them.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
