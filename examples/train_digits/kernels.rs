//! The example's own WGSL, one method per kernel: each says what it binds and hands back a call to record.

use surprisal::wgpu::{self, BindingResource, BufferSlice, BufferUsages, util::DeviceExt};

use crate::network::Layer;

/// Invocations per workgroup, in every kernel.
const WORKGROUP: usize = 64;

pub struct Kernels {
    device: wgpu::Device,
    linear_forward: wgpu::ComputePipeline,
    linear_backward_input: wgpu::ComputePipeline,
    linear_backward_params: wgpu::ComputePipeline,
    relu_forward: wgpu::ComputePipeline,
    relu_backward: wgpu::ComputePipeline,
    adam: wgpu::ComputePipeline,
    gather: wgpu::ComputePipeline,
    argmax: wgpu::ComputePipeline,
}

/// A kernel with its bindings, to be recorded as often as wanted.
pub struct Call {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    n_workgroups: u32,
}

impl Call {
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.dispatch_workgroups(self.n_workgroups, 1, 1);
    }
}

impl Kernels {
    pub fn new(device: &wgpu::Device) -> Kernels {
        let module = |label, source: &str| {
            let source = wgpu::ShaderSource::Wgsl(source.into());
            device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(label), source })
        };
        let linear = module("linear", include_str!("linear.wgsl"));
        let relu = module("relu", include_str!("relu.wgsl"));
        let adam = module("adam", include_str!("adam.wgsl"));
        let gather = module("gather", include_str!("gather.wgsl"));
        let argmax = module("argmax", include_str!("argmax.wgsl"));
        Kernels {
            device: device.clone(),
            linear_forward: pipeline(device, &linear, "forward"),
            linear_backward_input: pipeline(device, &linear, "backward_input"),
            linear_backward_params: pipeline(device, &linear, "backward_params"),
            relu_forward: pipeline(device, &relu, "forward"),
            relu_backward: pipeline(device, &relu, "backward"),
            adam: pipeline(device, &adam, "update"),
            gather: pipeline(device, &gather, "gather"),
            argmax: pipeline(device, &argmax, "argmax"),
        }
    }

    /// x `[n_rows, n_in]` to y `[n_rows, n_out]`.
    pub fn linear_forward(
        &self,
        layer: Layer,
        n_rows: usize,
        params: BufferSlice<'_>,
        x: BufferSlice<'_>,
        y: BufferSlice<'_>,
    ) -> Call {
        let shape = self.layer(layer, n_rows);
        let slices = [(0, shape.slice(..)), (1, params), (2, x), (3, y)];
        self.call(&self.linear_forward, &slices, n_rows * layer.n_out)
    }

    /// dy `[n_rows, n_out]` to dx `[n_rows, n_in]`.
    pub fn linear_backward_input(
        &self,
        layer: Layer,
        n_rows: usize,
        params: BufferSlice<'_>,
        dy: BufferSlice<'_>,
        dx: BufferSlice<'_>,
    ) -> Call {
        let shape = self.layer(layer, n_rows);
        let slices = [(0, shape.slice(..)), (1, params), (4, dy), (5, dx)];
        self.call(&self.linear_backward_input, &slices, n_rows * layer.n_in)
    }

    /// x `[n_rows, n_in]` and dy `[n_rows, n_out]` to the layer's part of the gradients.
    pub fn linear_backward_params(
        &self,
        layer: Layer,
        n_rows: usize,
        x: BufferSlice<'_>,
        dy: BufferSlice<'_>,
        grads: BufferSlice<'_>,
    ) -> Call {
        let shape = self.layer(layer, n_rows);
        let slices = [(0, shape.slice(..)), (2, x), (4, dy), (6, grads)];
        self.call(&self.linear_backward_params, &slices, layer.n_params())
    }

    /// h `[n]` in place.
    pub fn relu_forward(&self, n: usize, h: BufferSlice<'_>) -> Call {
        self.call(&self.relu_forward, &[(0, h)], n)
    }

    /// dh `[n]` in place, from h `[n]` after the ReLU.
    pub fn relu_backward(&self, n: usize, h: BufferSlice<'_>, dh: BufferSlice<'_>) -> Call {
        self.call(&self.relu_backward, &[(1, h), (2, dh)], n)
    }

    /// One step on `n` parameters; `alpha` is one number.
    pub fn adam(
        &self,
        n: usize,
        alpha: BufferSlice<'_>,
        grads: BufferSlice<'_>,
        [m, v]: [BufferSlice<'_>; 2],
        params: BufferSlice<'_>,
    ) -> Call {
        self.call(&self.adam, &[(0, alpha), (1, grads), (2, m), (3, v), (4, params)], n)
    }

    /// Rows of a table `[_, width]`, in an order `[n_rows]`, to `[n_rows, width]`.
    pub fn gather(
        &self,
        n_rows: usize,
        width: usize,
        order: BufferSlice<'_>,
        rows: BufferSlice<'_>,
        to: BufferSlice<'_>,
    ) -> Call {
        let shape = self.uniform(&[n_rows, width]);
        self.call(&self.gather, &[(0, shape.slice(..)), (1, order), (2, rows), (3, to)], n_rows * width)
    }

    /// Logits `[n_rows, n_classes]` to classes `[n_rows]`.
    pub fn argmax(&self, n_rows: usize, n_classes: usize, logits: BufferSlice<'_>, classes: BufferSlice<'_>) -> Call {
        let shape = self.uniform(&[n_rows, n_classes]);
        self.call(&self.argmax, &[(0, shape.slice(..)), (1, logits), (2, classes)], n_rows)
    }

    fn layer(&self, layer: Layer, n_rows: usize) -> wgpu::Buffer {
        self.uniform(&[n_rows, layer.n_in, layer.n_out, layer.first])
    }

    fn uniform(&self, values: &[usize]) -> wgpu::Buffer {
        let words: Vec<u32> = values.iter().map(|&value| value as u32).collect();
        let contents = bytemuck::cast_slice(&words);
        let usage = BufferUsages::UNIFORM;
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some("shape"), contents, usage })
    }

    /// One invocation for each of `n` results.
    fn call(&self, pipeline: &wgpu::ComputePipeline, slices: &[(u32, BufferSlice<'_>)], n: usize) -> Call {
        let entry = |&(binding, slice)| {
            let resource = BindingResource::try_from(slice).expect("no tensor is empty");
            wgpu::BindGroupEntry { binding, resource }
        };
        let entries: Vec<_> = slices.iter().map(entry).collect();
        let layout = &pipeline.get_bind_group_layout(0);
        let bindings =
            self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries });
        Call { pipeline: pipeline.clone(), bindings, n_workgroups: n.div_ceil(WORKGROUP) as u32 }
    }
}

fn pipeline(device: &wgpu::Device, module: &wgpu::ShaderModule, entry_point: &str) -> wgpu::ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry_point),
        layout: None,
        module,
        entry_point: Some(entry_point),
        compilation_options: Default::default(),
        cache: None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{cpu, tensors::Tensors};

    const LAYER: Layer = Layer { n_in: 13, n_out: 7, first: 5 };
    const N_ROWS: usize = 19;

    /// Uniform in -1..1.
    fn noise(seed: u64, n: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// Any adapter, software ones too. A machine without one says so and skips; with `SURPRISAL_REQUIRE_GPU=1` it
    /// fails.
    fn tensors() -> Option<Tensors> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = match pollster::block_on(instance.request_adapter(&Default::default())) {
            Ok(adapter) => adapter,
            Err(error) => {
                let required = std::env::var("SURPRISAL_REQUIRE_GPU").is_ok_and(|value| value == "1");
                assert!(!required, "SURPRISAL_REQUIRE_GPU=1, but {error}");
                // Past the test runner, which keeps to itself what passing tests print.
                std::io::stderr().write_all(format!("SKIPPED: {error}\n").as_bytes()).expect("stderr is open");
                return None;
            }
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&Default::default())).expect("default limits are everywhere");
        Some(Tensors::new(&device, &queue))
    }

    /// What the call leaves in `result`.
    fn run(tensors: &Tensors, call: &Call, result: &wgpu::Buffer) -> Vec<f32> {
        tensors.submit(&[call]);
        tensors.read(&[result]).expect("the device is not lost").remove(0)
    }

    #[track_caller]
    fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 1e-5, "{k}: found {found}, expected {expected}");
        }
    }

    #[test]
    fn linear_kernels_agree_with_the_cpu() {
        let Some(tensors) = tensors() else { return };
        let kernels = Kernels::new(&tensors.device);
        let params = noise(1, LAYER.first + LAYER.n_params());
        let (x, dy) = (noise(2, N_ROWS * LAYER.n_in), noise(3, N_ROWS * LAYER.n_out));
        let [on_params, on_x, on_dy] = [&params, &x, &dy].map(|values| tensors.upload("input", values));
        let [y, dx, grads] = [dy.len(), x.len(), params.len()].map(|n| tensors.zeros("output", n));

        let call = kernels.linear_forward(LAYER, N_ROWS, on_params.slice(..), on_x.slice(..), y.slice(..));
        assert_close(&run(&tensors, &call, &y), &cpu::forward(LAYER, &params, &x));

        let call = kernels.linear_backward_input(LAYER, N_ROWS, on_params.slice(..), on_dy.slice(..), dx.slice(..));
        assert_close(&run(&tensors, &call, &dx), &cpu::backward_input(LAYER, &params, &dy));

        let call = kernels.linear_backward_params(LAYER, N_ROWS, on_x.slice(..), on_dy.slice(..), grads.slice(..));
        let mut expected = vec![0.0; params.len()];
        cpu::backward_params(LAYER, &x, &dy, &mut expected);
        assert_close(&run(&tensors, &call, &grads), &expected);
    }

    #[test]
    fn relu_and_adam_agree_with_the_cpu() {
        let Some(tensors) = tensors() else { return };
        let kernels = Kernels::new(&tensors.device);
        let (mut h, mut dh) = (noise(4, 100), noise(5, 100));
        let [on_h, on_dh] = [&h, &dh].map(|values| tensors.upload("input", values));
        let activated = run(&tensors, &kernels.relu_forward(100, on_h.slice(..)), &on_h);
        h.iter_mut().for_each(|h| *h = h.max(0.0));
        assert_close(&activated, &h);
        let masked = run(&tensors, &kernels.relu_backward(100, on_h.slice(..), on_dh.slice(..)), &on_dh);
        cpu::relu_backward(&h, &mut dh);
        assert_close(&masked, &dh);

        let (mut params, grads) = (noise(6, 100), noise(7, 100));
        let (on_params, on_grads) = (tensors.upload("params", &params), tensors.upload("grads", &grads));
        let alpha = tensors.uniform_slots("alpha", 1);
        tensors.queue.write_buffer(&alpha, 0, bytemuck::bytes_of(&crate::network::step_size(1)));
        let [m, v] = ["m", "v"].map(|label| tensors.zeros(label, 100));
        let moments = [m.slice(..), v.slice(..)];
        let call =
            kernels.adam(100, Tensors::uniform_slot(&alpha, 0), on_grads.slice(..), moments, on_params.slice(..));
        cpu::Adam::new(100).update(&grads, &mut params);
        assert_close(&run(&tensors, &call, &on_params), &params);
    }

    #[test]
    fn gather_and_argmax_pick_rows_and_classes() {
        let Some(tensors) = tensors() else { return };
        let kernels = Kernels::new(&tensors.device);
        let rows = tensors.upload("rows", &[0.0f32, 1.0, 10.0, 11.0, 20.0, 20.0]);
        let order = tensors.upload("order", &[2u32, 0, 1]);
        let to = tensors.zeros("to", 6);
        let call = kernels.gather(3, 2, order.slice(..), rows.slice(..), to.slice(..));
        assert_eq!(run(&tensors, &call, &to), [20.0, 20.0, 0.0, 1.0, 10.0, 11.0]);

        let classes = tensors.zeros("classes", 3);
        let call = kernels.argmax(3, 2, to.slice(..), classes.slice(..));
        let classes = run(&tensors, &call, &classes);
        assert_eq!(classes.iter().map(|class| class.to_bits()).collect::<Vec<_>>(), [0, 1, 1]);
    }
}
