//! Scenes: handwritten digits on canvases, and for every pixel what it belongs to.

use std::{fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Result;

/// Pixels along an edge of a digit, and of a canvas.
pub const DIGIT: usize = 8;
pub const EDGE: usize = 32;
/// H * W
pub const N_PIXELS: usize = EDGE * EDGE;
/// The background, then the ten digits.
pub const N_CLASSES: usize = 11;
pub const BACKGROUND: u32 = 0;
/// The label of pixels that may be either, as in Pascal VOC and Cityscapes.
pub const VOID: u32 = 255;

/// A canvas has so many cells along an edge, each with room to shift its digit by so many pixels.
const CELLS: usize = 3;
const SHIFT: usize = EDGE / CELLS - DIGIT;
/// Of a cell, to have a digit.
const FILLED: f64 = 0.8;
/// A pixel with this much ink is its digit's for sure.
const SURE: f32 = 0.5;
/// One of so many images is held out.
const HELD_OUT: usize = 5;

pub struct Digit {
    /// `[DIGIT, DIGIT]`, 0 (paper) to 1 (ink).
    pub ink: Vec<f32>,
    pub class: u32,
}

/// `n` canvases.
pub struct Scenes {
    pub n: usize,
    /// `[n, EDGE, EDGE]`, 0 to 1.
    pub ink: Vec<f32>,
    /// `[n, EDGE, EDGE]`
    pub labels: Vec<u32>,
}

/// The digits of `examples/data`: to learn from, and held out.
pub fn digits() -> Result<[Vec<Digit>; 2]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/digits.csv.gz");
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut csv = String::new();
    GzDecoder::new(file).read_to_string(&mut csv)?;
    let mut parts = [Vec::new(), Vec::new()];
    for (number, line) in csv.lines().enumerate() {
        let fields: Vec<u8> = line.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
        let Some((&digit, ink)) = fields.split_last().filter(|(_, ink)| ink.len() == DIGIT * DIGIT) else {
            return Err(format!("line {}: expected {} pixels and a digit", number + 1, DIGIT * DIGIT).into());
        };
        let ink = ink.iter().map(|&ink| f32::from(ink) / 16.0).collect();
        parts[usize::from(number % HELD_OUT == 0)].push(Digit { ink, class: 1 + u32::from(digit) });
    }
    Ok(parts)
}

impl Scenes {
    /// Canvases of these digits, each in a cell of its own.
    pub fn draw(n: usize, digits: &[Digit], seed: u64) -> Scenes {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut ink, mut labels) = (vec![0.0; n * N_PIXELS], vec![BACKGROUND; n * N_PIXELS]);
        for (ink, labels) in ink.chunks_exact_mut(N_PIXELS).zip(labels.chunks_exact_mut(N_PIXELS)) {
            for cell in 0..CELLS * CELLS {
                let digit = &digits[rng.random_range(0..digits.len())];
                let [top, left] =
                    [cell / CELLS, cell % CELLS].map(|at| at * (EDGE / CELLS) + rng.random_range(0..=SHIFT));
                if !rng.random_bool(FILLED) {
                    continue;
                }
                for (pixel, &darkness) in digit.ink.iter().enumerate().filter(|(_, ink)| **ink > 0.0) {
                    let at = (top + pixel / DIGIT) * EDGE + left + pixel % DIGIT;
                    ink[at] = darkness;
                    labels[at] = if darkness >= SURE { digit.class } else { VOID };
                }
            }
        }
        Scenes { n, ink, labels }
    }

    /// The share of labelled pixels of each class.
    pub fn frequencies(&self) -> [f32; N_CLASSES] {
        let labelled: Vec<u32> = self.labels.iter().copied().filter(|&label| label != VOID).collect();
        std::array::from_fn(|class| {
            labelled.iter().filter(|&&label| label == class as u32).count() as f32 / labelled.len() as f32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_labels_sure_pixels_and_leaves_faint_ones_void() {
        let mut ink = vec![0.0; DIGIT * DIGIT];
        (ink[0], ink[1]) = (1.0, 0.25);
        let scenes = Scenes::draw(3, &[Digit { ink, class: 7 }], 0);
        assert!(scenes.labels.contains(&7));
        for (&ink, &label) in scenes.ink.iter().zip(&scenes.labels) {
            let expected = [BACKGROUND, VOID, 7][usize::from(ink > 0.0) + usize::from(ink > SURE)];
            assert_eq!(label, expected, "for ink {ink}");
        }
        let frequencies = scenes.frequencies();
        assert!((frequencies.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
