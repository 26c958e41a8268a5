//! Prints the adapters surprisal sees, one a line, and fails when there is none:
//! backend, name, driver and device type, separated by tabs.
use std::process::ExitCode;

use surprisal::wgpu::{Backends, Instance, InstanceDescriptor};

fn main() -> ExitCode {
    let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(Backends::all()));
    for adapter in &adapters {
        let info = adapter.get_info();
        // Drivers such as llvmpipe name themselves in `driver` and their version in `driver_info`.
        let driver = format!("{} {}", info.driver, info.driver_info);
        println!("{:?}\t{}\t{}\t{:?}", info.backend, info.name, driver.trim(), info.device_type);
    }
    if adapters.is_empty() {
        eprintln!("no adapter: no graphics driver that wgpu can use is installed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
