//! A device that runs out of memory is an error that names what there was no room for, and works again once there is
//! room. A binary of its own: on a software GPU, whose memory is the process's, the whole process gets no more.

#![cfg(target_os = "linux")]

#[path = "../benches/support/device.rs"]
mod device;

use std::process::Command;

use surprisal::{CrossEntropy, Error, GpuEngine, Inputs, Output, Pass, Shape, wgpu};

const SHAPE: Shape = Shape::new(64, 1 << 18);
const N_ELEMENTS: usize = 64 << 18;

/// What the process may take beside what it has: less than the logits' 64 MiB, and enough for wgpu's own lists.
const HEADROOM: u64 = 16 << 20;

/// While it lives, the process gets `HEADROOM` more bytes of address space and no more.
struct Confined;

impl Confined {
    fn new() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("a size");
        let kib: u64 = size.trim().trim_end_matches("kB").trim().parse().expect("a number of KiB");
        limit_address_space(&(kib * 1024 + HEADROOM).to_string());
        Confined
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        limit_address_space("unlimited");
    }
}

/// Sets the soft limit alone, which may be raised again.
fn limit_address_space(soft: &str) {
    let (pid, limit) = (std::process::id().to_string(), format!("--as={soft}:"));
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "prlimit {limit}: {status:?}");
}

fn evaluate(engine: &GpuEngine, logits: &[f32], labels: &[i32]) -> Result<Output, Error> {
    engine.evaluate(CrossEntropy::new(), Pass::ForwardBackward, SHAPE, Inputs::new(logits).targets(labels))
}

fn assert_out_of_memory<T: std::fmt::Debug>(result: Result<T, Error>, of: &str) {
    match result {
        Err(Error::OutOfMemory { what, message }) => assert_eq!(what, of, "{message}"),
        other => panic!("expected OutOfMemory, found {:.300}", format!("{other:?}")),
    }
}

#[test]
fn a_device_out_of_memory_says_so_and_works_again_afterwards() {
    let Some(engine) = device::open() else { return };
    if engine.device().adapter_info().device_type != wgpu::DeviceType::Cpu {
        println!("SKIPPED: this GPU's memory is not the process's, and cannot be limited");
        return;
    }
    let (logits, labels) = (vec![0.25; N_ELEMENTS], vec![7; SHAPE.n_rows]);
    // The driver compiles in this process's memory too.
    engine.plan(CrossEntropy::new(), Pass::ForwardBackward, SHAPE).and_then(|plan| plan.warm()).expect("pipelines");

    // Host slices: there is no room for a copy of the logits on the device.
    let confined = Confined::new();
    assert_out_of_memory(evaluate(&engine, &logits, &labels), "logits");
    drop(confined);
    let output = evaluate(&engine, &logits, &labels).expect("there is room again");
    let expected = (SHAPE.n_classes as f32).ln();
    assert!((output.values[0] - expected).abs() < 1e-5, "{} for log C = {expected}", output.values[0]);
}
