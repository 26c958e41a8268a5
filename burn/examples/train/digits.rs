//! The digits of `examples/data`: 8 x 8 images with their labels.

use std::error::Error;
use std::{fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;

pub const N_PIXELS: usize = 64;
pub const N_CLASSES: usize = 10;

/// Images and what they show, in the file's order.
pub struct Digits {
    /// `[n, N_PIXELS]`, 0 (paper) to 1 (ink).
    pub pixels: Vec<f32>,
    /// `[n]`, 0..N_CLASSES.
    pub labels: Vec<i32>,
}

impl Digits {
    pub fn load() -> Result<Digits, Box<dyn Error>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/digits.csv.gz");
        let mut csv = String::new();
        GzDecoder::new(File::open(path)?).read_to_string(&mut csv)?;
        let mut digits = Digits { pixels: Vec::new(), labels: Vec::new() };
        for line in csv.lines() {
            let fields: Vec<u8> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
            let Some((&label, pixels)) = fields.split_last() else { return Err("an empty line".into()) };
            digits.pixels.extend(pixels.iter().map(|&ink| f32::from(ink) / 16.0));
            digits.labels.push(label.into());
        }
        Ok(digits)
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }
}
