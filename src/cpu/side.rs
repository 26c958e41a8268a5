use super::softmax::{Softmax, Truth};
use crate::Side;

/// The side outputs wanted, in order, of a row of logits with this entropy and, where it has one, this target.
pub(super) fn write(
    side: &Side,
    x: &[f32],
    softmax: &Softmax,
    entropy: f64,
    target: Option<(usize, &Truth)>,
    words: &mut [u32],
) {
    let float = |number: f64| (number as f32).to_bits();
    let of_target = |number: fn(&Truth) -> f64| float(target.map_or(f64::NAN, |(_, truth)| number(truth)));
    // Of logits as loaded, whose order the cap keeps.
    let n_above = |t: usize| x.iter().filter(|&&other| other > x[t]).count();
    let wants_hit = side.top_1 || side.top_k.is_some();
    let above = target.filter(|_| wants_hit).map_or(0, |(t, _)| n_above(t));
    let argmax = || x.iter().position(|&x| x == softmax.m_logit).unwrap_or(0) as u32;
    let hit = |k: u32| float(if above < k as usize { 1.0 } else { 0.0 });
    let all = [
        float(softmax.lse()),
        float(entropy),
        of_target(|truth| truth.log_p),
        of_target(|truth| truth.p),
        if side.argmax { argmax() } else { 0 },
        hit(1),
        hit(side.top_k.unwrap_or(0)),
    ];
    let wanted = all.into_iter().zip(side.wanted()).filter_map(|(word, wanted)| wanted.then_some(word));
    words.iter_mut().zip(wanted).for_each(|(place, word)| *place = word);
}

/// Those of a row that has no value.
pub(super) fn poison(side: &Side, words: &mut [u32]) {
    let nan = |is_argmax| if is_argmax { u32::MAX } else { f32::NAN.to_bits() };
    let wanted = side.wanted().into_iter().enumerate().filter(|(_, wanted)| *wanted).map(|(i, _)| nan(i == 4));
    words.iter_mut().zip(wanted).for_each(|(place, word)| *place = word);
}
