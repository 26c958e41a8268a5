//! Writes the WGSL of every kernel to a folder, one file each: `cargo run --example shaders -- FOLDER`.
//!
//! A file that needs a WebGPU feature says so in its first line, `// requires: subgroups`.

use std::path::PathBuf;

use surprisal::kernel::{Kernel, Variant};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: shaders FOLDER"));
    std::fs::create_dir_all(&folder)?;
    let kernels = Kernel::all();
    for kernel in &kernels {
        let requires = match kernel.variant {
            Variant::Workgroup => "",
            Variant::Subgroup => "// requires: subgroups\n",
        };
        let file = folder.join(format!("{}.wgsl", kernel.label().replace('/', "-")));
        std::fs::write(file, format!("{requires}{}", kernel.source()))?;
    }
    println!("{} kernels in {}", kernels.len(), folder.display());
    Ok(())
}
