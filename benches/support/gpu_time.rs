use std::fmt;
use std::time::{Duration, Instant};

use surprisal::wgpu::{self, BufferUsages};

/// Tells how long the device takes: by its own timestamps where it has them, else from submission to completion.
pub struct Clock {
    device: wgpu::Device,
    queue: wgpu::Queue,
    timestamps: Option<Timestamps>,
}

/// The device's time before and after.
struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    nanoseconds_per_tick: f64,
}

/// Two u64.
const SIZE: u64 = 16;

impl Clock {
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Clock {
        let has_timestamps = device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let timestamps = has_timestamps.then(|| Timestamps::new(device, queue));
        Clock { device: device.clone(), queue: queue.clone(), timestamps }
    }

    /// The time of a compute pass.
    pub fn time(&self, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) -> Duration {
        let mut encoder = self.encoder();
        record(&mut self.begin_pass(&mut encoder, Some(0), Some(1)));
        self.finish(encoder)
    }

    /// The time of what is no compute pass, from the end of an empty pass before to the start of one after: few devices
    /// have timestamps between commands.
    pub fn time_encoder(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Duration {
        let mut encoder = self.encoder();
        self.begin_pass(&mut encoder, None, Some(0));
        record(&mut encoder);
        self.begin_pass(&mut encoder, Some(1), None);
        self.finish(encoder)
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("bench") })
    }

    /// A pass that writes these timestamps at its beginning and its end.
    fn begin_pass<'a>(
        &self,
        encoder: &'a mut wgpu::CommandEncoder,
        beginning: Option<u32>,
        end: Option<u32>,
    ) -> wgpu::ComputePass<'a> {
        let timestamp_writes = self.timestamps.as_ref().map(|timestamps| wgpu::ComputePassTimestampWrites {
            query_set: &timestamps.queries,
            beginning_of_pass_write_index: beginning,
            end_of_pass_write_index: end,
        });
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("bench"), timestamp_writes })
    }

    /// Submits, waits, reads the clock.
    fn finish(&self, mut encoder: wgpu::CommandEncoder) -> Duration {
        if let Some(timestamps) = &self.timestamps {
            timestamps.resolve(&mut encoder);
        }
        let start = Instant::now();
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is not lost");
        let wall = start.elapsed();
        self.timestamps.as_ref().map_or(wall, Timestamps::elapsed)
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.timestamps {
            Some(timestamps) => {
                write!(f, "times are the device's timestamps, in ticks of {} ns", timestamps.nanoseconds_per_tick)
            }
            None => write!(f, "times are from submission to completion: the device has no timestamps"),
        }
    }
}

impl Timestamps {
    fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Timestamps {
        let buffer = |label, usage| {
            let label = Some(label);
            device.create_buffer(&wgpu::BufferDescriptor { label, size: SIZE, usage, mapped_at_creation: false })
        };
        Timestamps {
            queries: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer("timestamps", BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            staging: buffer("timestamps read", BufferUsages::COPY_DST | BufferUsages::MAP_READ),
            nanoseconds_per_tick: queue.get_timestamp_period().into(),
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..2, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, SIZE);
        encoder.map_buffer_on_submit(&self.staging, wgpu::MapMode::Read, .., |mapped| mapped.expect("it was free"));
    }

    /// Between the two; the submission that wrote them is over.
    fn elapsed(&self) -> Duration {
        let bytes = self.staging.get_mapped_range(..).expect("mapped on submission, which is over");
        let ticks: Vec<u64> = bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect();
        drop(bytes);
        self.staging.unmap();
        Duration::from_nanos((ticks[1].saturating_sub(ticks[0]) as f64 * self.nanoseconds_per_tick) as u64)
    }
}
