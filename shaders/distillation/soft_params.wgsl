//! The teacher's part has options of its own.

@group(0) @binding(64) var<uniform> soft_params: Params;

override soft_TEMPERATURE: bool = true;
/// No divergence caps its logits or smooths its targets.
const soft_SOFTCAP: bool = false;
const soft_LABEL_SMOOTHING: bool = false;
