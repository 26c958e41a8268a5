//! Writes the WGSL of every kernel to a folder, one file each: `cargo run --example shaders -- FOLDER`. With `--pairs`
//! after it, of few in which every two choices meet. Those with integers of 64 bits, which WebGPU has not, are left out.
//!
//! A file that needs a WebGPU feature says so in its first line, `// requires: subgroups`.

use std::path::PathBuf;

use surprisal::kernel::Kernel;
use surprisal::wgpu::Features;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: shaders FOLDER"));
    std::fs::create_dir_all(&folder)?;
    let mut kernels = if std::env::args().any(|word| word == "--pairs") { Kernel::each_pair() } else { Kernel::all() };
    kernels.retain(|kernel| !kernel.features().contains(Features::SHADER_INT64));
    for kernel in &kernels {
        let requires = if kernel.features().contains(Features::SUBGROUP) { "// requires: subgroups\n" } else { "" };
        let file = folder.join(format!("{}.wgsl", kernel.label().replace('/', "-")));
        std::fs::write(file, format!("{requires}{}", kernel.source()))?;
    }
    println!("{} kernels in {}", kernels.len(), folder.display());
    Ok(())
}
