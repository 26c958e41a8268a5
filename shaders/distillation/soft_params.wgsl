//! The teacher's part has options of its own.

@group(0) @binding(64) var<uniform> soft_params: Params;

override soft_TEMPERATURE: bool = true;
/// No divergence smooths its targets, and a z-loss is the other part's.
const soft_LABEL_SMOOTHING: bool = false;
const soft_ROW_EXTRAS: bool = false;
