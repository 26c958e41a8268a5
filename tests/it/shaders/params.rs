//! `Params` in WGSL and `Params` in Rust are the same bytes.

use std::mem::offset_of;

use naga::{Handle, Module, ScalarKind, Type, TypeInner, VectorSize};
use surprisal::Params;

use crate::support::shader::Parsed;

/// A member's name, type and offset.
type Member = (String, &'static str, usize);

#[expect(non_camel_case_types)]
type vec4f = [f32; 4];

/// The Rust side, in order. A field too few or of another type does not compile.
macro_rules! members {
    ($($name:ident: $type:ident),*) => {{
        let Params { $($name),* } = Params::default();
        vec![$({
            let _: $type = $name;
            (stringify!($name).to_string(), stringify!($type), offset_of!(Params, $name))
        }),*]
    }};
}

fn rust_members() -> Vec<Member> {
    members!(
        n_rows: u32, n_classes: u32, inner: u32, first_class: u32, end_class: u32, last_row: u32,
        grid_width: u32,
        logits: u32, logits_stride: u32, targets: u32, targets_stride: u32, dlogits: u32, dlogits_stride: u32,
        values: u32, values_stride: u32, row_state: u32, side: u32, side_width: u32,
        row_weights: u32, row_weights_stride: u32,
        classes: u32, classes_stride: u32, row_size: f32, ignored: u32, n_ignored: u32,
        weights: u32, weights_row_stride: u32, weights_class_stride: u32,
        dloss: u32, dloss_row_stride: u32, dloss_class_stride: u32,
        divisor: u32, n_divisors: u32, divisor_value: f32, kept: u32, n_kept: u32,
        target_share: f32, even_share: f32, even_sum: f32, inv_temperature: f32, softcap: f32, inv_softcap: f32,
        z_loss: f32, poly1: f32, top_k: u32, scale: f32, zero: u32, dtargets: u32, dtargets_stride: u32,
        teacher: u32, teacher_stride: u32, part_weight: f32, truths: u32, target_probs: u32, k: u32, rest: u32,
        per_row: u32, row_count: u32, weighs_classes: u32, closing: u32,
        loss_args: vec4f
    )
}

/// The WGSL side, and its span in bytes.
fn wgsl_members(module: &Module) -> (Vec<Member>, usize) {
    let structs = module.types.iter().filter(|(_, ty)| ty.name.as_deref() == Some("Params"));
    let [TypeInner::Struct { members, span }] = structs.map(|(_, ty)| &ty.inner).collect::<Vec<_>>()[..] else {
        panic!("expected one struct named Params");
    };
    let member = |member: &naga::StructMember| {
        let name = member.name.clone().expect("members have names");
        (name, type_name(module, member.ty), member.offset as usize)
    };
    (members.iter().map(member).collect(), *span as usize)
}

fn type_name(module: &Module, ty: Handle<Type>) -> &'static str {
    match module.types[ty].inner {
        TypeInner::Scalar(scalar) => match (scalar.kind, scalar.width) {
            (ScalarKind::Uint, 4) => "u32",
            (ScalarKind::Sint, 4) => "i32",
            (ScalarKind::Float, 4) => "f32",
            _ => "another scalar",
        },
        TypeInner::Vector { size: VectorSize::Quad, scalar: naga::Scalar::F32 } => "vec4f",
        _ => "another type",
    }
}

pub fn params_are_the_same_bytes_on_both_sides(parsed: &Parsed) {
    let (members, span) = wgsl_members(&parsed.module);
    assert_eq!(members, rust_members(), "{}", parsed.label);
    assert_eq!(span, size_of::<Params>(), "{}", parsed.label);
}
