//! The digits: 8 x 8 images with their labels, split into what is trained on and what is held out.

use std::{fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::Result;

pub const N_PIXELS: usize = 64;
pub const N_CLASSES: usize = 10;
/// One of so many images of each digit is held out.
const HELD_OUT: usize = 5;

/// Images and what they show.
pub struct Images {
    /// `[n, N_PIXELS]`, 0 (paper) to 1 (ink).
    pub pixels: Vec<f32>,
    /// `[n]`, 0..N_CLASSES.
    pub labels: Vec<i32>,
}

/// The two parts of the data set; no image is in both.
pub struct Digits {
    pub train: Images,
    pub held_out: Images,
}

impl Images {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn row(&self, image: usize) -> &[f32] {
        &self.pixels[image * N_PIXELS..][..N_PIXELS]
    }

    /// The images showing this digit, in order.
    pub fn of_class(&self, class: i32) -> Vec<usize> {
        (0..self.len()).filter(|&image| self.labels[image] == class).collect()
    }

    /// All images but those of these classes, of which one in `keep_one_in` stays: row numbers.
    pub fn thinned(&self, classes: &[i32], keep_one_in: usize) -> Vec<u32> {
        let mut rows = Vec::new();
        for class in 0..N_CLASSES as i32 {
            let mut of_class = self.of_class(class);
            if classes.contains(&class) {
                of_class.truncate(of_class.len() / keep_one_in);
            }
            rows.extend(of_class.into_iter().map(|row| row as u32));
        }
        rows
    }

    fn select(&self, rows: &[usize]) -> Images {
        Images {
            pixels: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
        }
    }

    fn split(&self, seed: u64) -> Digits {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for class in 0..N_CLASSES as i32 {
            let mut rows = self.of_class(class);
            rows.shuffle(&mut rng);
            let rest = rows.split_off(rows.len() / HELD_OUT);
            held_out.extend(rows);
            train.extend(rest);
        }
        Digits { train: self.select(&train), held_out: self.select(&held_out) }
    }
}

impl Digits {
    /// The data set of `examples/data`, split by this seed so that both parts have every digit in the same proportion.
    pub fn load(seed: u64) -> Result<Digits> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/digits.csv.gz");
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut csv = String::new();
        GzDecoder::new(file).read_to_string(&mut csv)?;
        Ok(parse(&csv)?.split(seed))
    }
}

/// Lines of 64 pixels, 0 to 16, and a digit.
fn parse(csv: &str) -> Result<Images> {
    let mut images = Images { pixels: Vec::new(), labels: Vec::new() };
    for (number, line) in csv.lines().enumerate() {
        let fields: Vec<u8> = line.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
        match fields.split_last() {
            Some((&label, pixels)) if pixels.len() == N_PIXELS && usize::from(label) < N_CLASSES => {
                images.pixels.extend(pixels.iter().map(|&ink| f32::from(ink) / 16.0));
                images.labels.push(label.into());
            }
            _ => return Err(format!("line {}: expected {N_PIXELS} pixels and a digit", number + 1).into()),
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_is_stratified_disjoint_and_repeatable() {
        let (digits, again) = (Digits::load(7).unwrap(), Digits::load(7).unwrap());
        assert_eq!(digits.train.len() + digits.held_out.len(), 1797);
        assert_eq!(digits.held_out.pixels, again.held_out.pixels);
        for class in 0..N_CLASSES as i32 {
            let (kept, out) = (digits.train.of_class(class).len(), digits.held_out.of_class(class).len());
            assert_eq!(out, (kept + out) / HELD_OUT);
        }
    }

    #[test]
    fn thinned_classes_keep_their_share() {
        let train = Digits::load(0).unwrap().train;
        let rows = train.thinned(&[3], 20);
        let threes = rows.iter().filter(|&&row| train.labels[row as usize] == 3).count();
        assert_eq!(threes, train.of_class(3).len() / 20);
        assert_eq!(rows.len(), train.len() - train.of_class(3).len() + threes);
    }
}
