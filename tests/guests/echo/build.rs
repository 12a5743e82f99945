//! A stack of 64 KiB, as the documentation advises for a plugin with small calls: with the 1 MiB
//! that is usual, each call faults in the pages of its stack and its heap again.

fn main() {
    println!("cargo::rustc-link-arg-cdylib=-zstack-size=65536");
}
