//! How the binary is linked.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

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
        // What leads into the libraries is found at the start and cannot be written after: `.cargo/config.toml` takes this from rustc.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,now");
        // Crates at different levels of optimisation have their own copies of what is generic: of those that came out alike one is kept,
        // a twelfth of the binary.
        if target("ARCH") == "x86_64" && links_with(FOLDING) {
            println!("cargo:rustc-link-arg-bins={FOLDING}");
        }
        // Each library that a process loads costs a small chart a fiftieth: what unwinds the stack comes along instead, where the
        // compiler has it.
        if env::var("HOST") == env::var("TARGET") && has_unwinder() {
            println!("cargo:rustc-link-lib=static=gcc_eh");
        }
    }
}

/// Asks `lld`, which rustc brings for this target, to fold functions that are alike.
const FOLDING: &str = "-Wl,--icf=all";

/// Whether the linker that was chosen, which may be another one, takes an argument.
fn links_with(argument: &str) -> bool {
    let given = |name: &str| env::var(name).unwrap_or_default();
    let source = Path::new(&given("OUT_DIR")).join("asked.rs");
    if fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let mut rustc = Command::new(given("RUSTC"));
    rustc
        .args(["--target", &given("TARGET"), "-C", &format!("link-arg={argument}"), "-o"])
        .arg(source.with_extension("out"));
    rustc.args(given("CARGO_ENCODED_RUSTFLAGS").split('\u{1f}').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.args(["-C", &format!("linker={linker}")]);
    }
    rustc.arg(&source).output().is_ok_and(|asked| asked.status.success())
}

/// Whether the linker finds what unwinds the stack as something to be linked into a program.
fn has_unwinder() -> bool {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let asked = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    // What it does not find it answers with the bare name.
    asked.is_ok_and(|found| Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_absolute())
}
