//! The distribution of surprisal as an SVG: how many characters cost so many bits, and how much of the total they make.

use std::{f64::consts::LN_2, path::Path};

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{Result, evaluation::Score, ngram::Ngram, report};

const SIZE: (u32, u32) = (1040, 850);
const LEFT: i32 = 40;
/// Where the models' names are: in the upper panel, whose right is all but empty.
const NAMES: (i32, i32) = (560, 200);
const NAME_HEIGHT: i32 = 28;
/// Top edges of the two panels, and their size.
const PANELS: [i32; 2] = [132, 460];
const PANEL: (u32, u32) = (960, 316);

/// Bits; what costs more than the bins reach is in the last.
const BIN: f64 = 0.5;
const N_BINS: usize = 32;

const FONT: &str = "Inter, Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";
const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
const GREY: RGBColor = RGBColor(0x6b, 0x72, 0x7b);
const GRID: RGBColor = RGBColor(0xe7, 0xe9, 0xec);
/// Blue, orange: a model each.
const COLORS: [RGBColor; 2] = [RGBColor(0x2f, 0x6d, 0xb5), RGBColor(0xd9, 0x6b, 0x1f)];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A model's characters by what they cost.
struct Histogram {
    name: String,
    color: RGBColor,
    /// Bits.
    mean: f64,
    /// Percent of all characters, per bin.
    characters: [f64; N_BINS],
    /// Percent of all surprisal, per bin.
    surprisal: [f64; N_BINS],
}

/// Writes the histograms of both models to `out`.
pub fn draw(out: &Path, models: &[Ngram<'_>; 2], scores: &[Score; 2], subtitle: &str) -> Result<()> {
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}; --out names another", out.display()))?;
    }
    let histograms: Vec<Histogram> = models
        .iter()
        .zip(scores)
        .zip(COLORS)
        .map(|((model, score), color)| Histogram::new(report::name(model), color, &score.surprisal))
        .collect();
    let root = SVGBackend::new(out, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw_text("What a character costs", &text(34.0, INK, FontStyle::Bold), (LEFT, 36))?;
    root.draw_text(subtitle, &text(16.0, GREY, FontStyle::Normal), (LEFT, 84))?;
    let [above, below] = PANELS.map(|top| root.clone().shrink((LEFT, top), PANEL));
    draw_panel(&above, "% of the characters, by their surprisal", &histograms, |histogram| &histogram.characters)?;
    draw_panel(&below, "% of all surprisal that these make", &histograms, |histogram| &histogram.surprisal)?;
    for (k, histogram) in histograms.iter().enumerate() {
        let name = format!("{}: mean {:.2} bits", histogram.name, histogram.mean);
        let at = (NAMES.0, NAMES.1 + NAME_HEIGHT * k as i32);
        root.draw_text(&name, &text(18.0, histogram.color, FontStyle::Bold), at)?;
    }
    let credit = "Text: news of the tz database, public domain; learned from its past, measured on its latest releases";
    root.draw_text(credit, &text(15.0, GREY, FontStyle::Normal), (LEFT, SIZE.1 as i32 - 34))?;
    root.present().map_err(|error| format!("{}: {error}; --out names another", out.display()).into())
}

impl Histogram {
    fn new(name: String, color: RGBColor, nats: &[f32]) -> Histogram {
        let (mut characters, mut surprisal) = ([0.0; N_BINS], [0.0; N_BINS]);
        let total = nats.iter().map(|&nats| f64::from(nats) / LN_2).sum::<f64>();
        for bits in nats.iter().map(|&nats| f64::from(nats) / LN_2) {
            let bin = ((bits / BIN) as usize).min(N_BINS - 1);
            characters[bin] += 100.0 / nats.len() as f64;
            surprisal[bin] += 100.0 * bits / total;
        }
        Histogram { name, color, mean: total / nats.len() as f64, characters, surprisal }
    }
}

/// Both models' bins over one another, with their means dashed.
fn draw_panel(
    area: &Canvas<'_>,
    heading: &str,
    histograms: &[Histogram],
    bins: impl Fn(&Histogram) -> &[f64; N_BINS],
) -> Result<()> {
    area.draw_text(heading, &text(16.0, INK, FontStyle::Normal), (0, 4))?;
    let highest = histograms.iter().flat_map(&bins).fold(0.0, |a: f64, &b| a.max(b)) * 1.08;
    let end = N_BINS as f64 * BIN;
    let mut chart = ChartBuilder::on(area)
        .margin_top(30)
        .margin_right(16)
        .x_label_area_size(48)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..end, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(text(15.0, GREY, FontStyle::Normal))
        .axis_desc_style(text(15.0, GREY, FontStyle::Normal))
        .x_desc(format!("bits; all above {} is in the last bin", end - BIN))
        .x_labels(9)
        .y_labels(5)
        .x_label_formatter(&|bits| format!("{bits}"))
        .y_label_formatter(&|percent| format!("{percent}"))
        .draw()?;
    for histogram in histograms {
        let edges = |k: usize| (k as f64 * BIN, (k + 1) as f64 * BIN);
        let fill = histogram.color.mix(0.16).filled();
        let bars = bins(histogram).iter().enumerate().map(|(k, &height)| {
            let (left, right) = edges(k);
            Rectangle::new([(left, 0.0), (right, height)], fill)
        });
        chart.draw_series(bars)?;
        let outline = bins(histogram).iter().enumerate().flat_map(|(k, &height)| {
            let (left, right) = edges(k);
            [(left, height), (right, height)]
        });
        chart.draw_series(LineSeries::new(outline, histogram.color.stroke_width(2)))?;
        let mean = [(histogram.mean, 0.0), (histogram.mean, highest)];
        chart.draw_series(DashedLineSeries::new(mean, 5, 5, histogram.color.stroke_width(1)))?;
    }
    Ok(())
}

fn text(size: f64, color: RGBColor, style: FontStyle) -> TextStyle<'static> {
    let (font, color) = ((FONT, size, style).into_font(), color.to_backend_color());
    TextStyle { font, color, pos: Pos::new(HPos::Left, VPos::Top) }
}
