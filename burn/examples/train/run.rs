//! A training run: done in a process of its own, told in lines, read by the process that compares.

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, DeviceKind, Int, Tensor, TensorData};

use crate::digits::{Digits, N_PIXELS};
use crate::network::{Loss, Network};

const EPOCHS: usize = 10;
const BATCH: usize = 64;
const LEARNING_RATE: f64 = 2e-3;

/// What a run tells.
#[derive(Default)]
pub struct Run {
    pub adapter: String,
    /// Mean over its batches, of each epoch.
    pub losses: Vec<f32>,
    /// Seconds, pipelines and autotune included.
    pub first_epoch: f64,
    /// Seconds each.
    pub later_epochs: f64,
    /// What burn's pools hold on the device at the end.
    pub reserved_kib: u64,
    /// The process's largest resident set; software Vulkan's buffers are in it. 0 where the system does not say.
    pub peak_kib: u64,
}

impl Run {
    /// Trains with the loss of this name in a child of this process.
    pub fn of(name: &str) -> Result<Run, Box<dyn Error>> {
        let child = Command::new(std::env::current_exe()?).arg(name).stderr(std::process::Stdio::inherit()).output()?;
        if !child.status.success() {
            return Err(format!("training with {name} ended with {}", child.status).into());
        }
        let mut run = Run::default();
        for line in String::from_utf8(child.stdout)?.lines() {
            let Some((key, value)) = line.split_once(' ') else { continue };
            match key {
                "adapter" => run.adapter = value.into(),
                "loss" => run.losses.push(value.parse()?),
                "first_epoch" => run.first_epoch = value.parse()?,
                "later_epochs" => run.later_epochs = value.parse()?,
                "reserved_kib" => run.reserved_kib = value.parse()?,
                "peak_kib" => run.peak_kib = value.parse()?,
                _ => {}
            }
        }
        Ok(run)
    }
}

/// Trains with the loss of this name and prints what [`Run`] has, a line each.
pub fn train(name: &str) -> Result<(), Box<dyn Error>> {
    let (device, setup) = Device::wgpu_options().device_kind(kind()).init_with_setup()?;
    surprisal_burn::register(&device, &setup)?;
    let info = setup.adapter.get_info();
    println!("adapter {}, {} {}", info.name, info.driver, info.driver_info);

    device.seed(42);
    let device = device.autodiff();
    let loss = Loss::named(name, &device).ok_or_else(|| format!("no loss is called {name}; try {:?}", Loss::NAMES))?;
    let digits = Digits::load()?;
    let batches = Batches::new(&digits, &device);
    let mut network = Network::new(&device);
    let mut adam = AdamConfig::new().init();

    let start = Instant::now();
    let mut first_epoch = 0.0;
    for epoch in 0..EPOCHS {
        let mut losses = Vec::new();
        for (pixels, labels) in &batches.0 {
            let loss = loss.forward(network.forward(pixels.clone()), labels.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = adam.step(LEARNING_RATE, network, gradients);
            losses.push(loss.detach());
        }
        println!("loss {}", Tensor::cat(losses, 0).mean().into_scalar::<f32>()); // waits for the epoch
        if epoch == 0 {
            first_epoch = start.elapsed().as_secs_f64();
        }
    }
    println!("first_epoch {first_epoch}");
    println!("later_epochs {}", (start.elapsed().as_secs_f64() - first_epoch) / (EPOCHS - 1) as f64);
    println!("reserved_kib {}", device.memory_pool_usage().map_or(0, |usage| usage.bytes_reserved / 1024));
    println!("peak_kib {}", peak_kib().unwrap_or(0));
    Ok(())
}

/// Pixels `[BATCH, N_PIXELS]` and labels `[BATCH]`, in an order without classes' runs; the rest of the images is left out.
struct Batches(Vec<(Tensor<2>, Tensor<1, Int>)>);

impl Batches {
    fn new(digits: &Digits, device: &Device) -> Batches {
        let batches = (0..digits.len() / BATCH).map(|batch| {
            // The file holds the digits in turn; a stride that shares no factor with their number visits each once.
            let rows: Vec<usize> = (0..BATCH).map(|i| (batch * BATCH + i) * 1009 % digits.len()).collect();
            let pixels: Vec<f32> =
                rows.iter().flat_map(|row| &digits.pixels[row * N_PIXELS..][..N_PIXELS]).copied().collect();
            let labels: Vec<i32> = rows.iter().map(|&row| digits.labels[row]).collect();
            (
                Tensor::from_data(TensorData::new(pixels, [BATCH, N_PIXELS]), device),
                Tensor::from_data(TensorData::new(labels, [BATCH]), device),
            )
        });
        Batches(batches.collect())
    }
}

/// Software Vulkan where surprisal's own engines would take it: to burn, a `Cpu`.
fn kind() -> DeviceKind {
    match std::env::var("SURPRISAL_ADAPTER").as_deref() {
        Ok("software") => DeviceKind::Cpu,
        _ => DeviceKind::DefaultDevice,
    }
}

/// Linux's `VmHWM`.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
