//! How the binary is linked.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // At an address of its own choice each start would first correct 70,000 pointers, which costs a small chart a
        // sixth of its time. At a fixed one, as Go's binaries have, they are right in the file and read when needed;
        // the stack, the heap and the libraries stay where chance puts them.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
