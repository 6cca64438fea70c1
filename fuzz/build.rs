//! Compiles the one target that is written in C.

fn main() {
    println!("cargo::rerun-if-changed=../tests/c");
    println!("cargo::rerun-if-changed=../include");
    cc::Build::new().file("../tests/c/hostile.c").include("../include").define("WITHOUT_MAIN", None).std("c99").warnings(false).compile("hostile");
}
