//! Scenes, what is true of them and what was predicted, as an SVG.

use std::path::Path;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    Result,
    scenes::{BACKGROUND, EDGE, N_PIXELS, Scenes, VOID},
};

const N_ROWS: usize = 3;
const LEFT: i32 = 40;
const TOP: i32 = 164;
/// A scene's pixel, and from one scene to the next.
const PIXEL: i32 = 7;
const SPACING: i32 = EDGE as i32 * PIXEL + 20;
const LEGEND: i32 = 64;
const SWATCH: i32 = 18;

const FONT: &str = "Inter, Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";
const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
const GREY: RGBColor = RGBColor(0x6b, 0x72, 0x7b);
const PAPER: RGBColor = RGBColor(0xf1, 0xf2, 0xf4);
const NOT_JUDGED: RGBColor = RGBColor(0xc9, 0xcd, 0xd2);
/// The digits'.
const COLORS: [RGBColor; 10] = [
    RGBColor(0x2f, 0x6d, 0xb5),
    RGBColor(0xd9, 0x6b, 0x1f),
    RGBColor(0x1d, 0x8f, 0x72),
    RGBColor(0xc4, 0x3d, 0x4b),
    RGBColor(0x7d, 0x58, 0xb5),
    RGBColor(0x8a, 0x5a, 0x3c),
    RGBColor(0xd8, 0x6f, 0xae),
    RGBColor(0x22, 0x26, 0x2b),
    RGBColor(0xb8, 0x9b, 0x1a),
    RGBColor(0x2f, 0xa8, 0xc7),
];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub struct Column<'a> {
    pub heading: String,
    /// `[n, H*W]`
    pub classes: &'a [u32],
}

/// Writes the first scenes to `out`: ink, truth, and a column each of predictions.
pub fn draw(out: &Path, scenes: &Scenes, predicted: &[Column<'_>]) -> Result<()> {
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let width = 2 * LEFT + (2 + predicted.len() as i32) * SPACING - (SPACING - EDGE as i32 * PIXEL);
    let bottom = TOP + N_ROWS as i32 * SPACING;
    let root = SVGBackend::new(out, (width as u32, (bottom + LEGEND + 40) as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw_text("Which pixel is whose?", &text(34.0, INK, FontStyle::Bold), (LEFT, 36))?;
    let subtitle = "held-out scenes, with the mean IoU of each loss over all of them";
    root.draw_text(subtitle, &text(16.0, GREY, FontStyle::Normal), (LEFT, 84))?;

    draw_column(&root, 0, "scene", scenes, |at| {
        let ink = scenes.ink[at];
        (ink > 0.0).then(|| blend(PAPER, INK, ink))
    })?;
    draw_column(&root, 1, "truth", scenes, |at| color(scenes.labels[at]))?;
    for (k, column) in predicted.iter().enumerate() {
        draw_column(&root, 2 + k, &column.heading, scenes, |at| match scenes.labels[at] {
            VOID => color(VOID),
            _ => color(column.classes[at]),
        })?;
    }
    draw_legend(&root, bottom)?;
    let credit = "Digits: test part of Optical Recognition of Handwritten Digits, Alpaydin & Kaynak 1998, UCI";
    root.draw_text(credit, &text(15.0, GREY, FontStyle::Normal), (LEFT, bottom + LEGEND))?;
    Ok(root.present()?)
}

/// Scenes below one another, each pixel as `color` has it; none is paper.
fn draw_column(
    root: &Canvas<'_>,
    column: usize,
    heading: &str,
    scenes: &Scenes,
    color: impl Fn(usize) -> Option<RGBColor>,
) -> Result<()> {
    let left = LEFT + column as i32 * SPACING;
    root.draw_text(heading, &text(18.0, INK, FontStyle::Bold), (left, TOP - 30))?;
    for scene in 0..N_ROWS.min(scenes.n) {
        let top = TOP + scene as i32 * SPACING;
        let square = |x, y, size, color: RGBColor| Rectangle::new([(x, y), (x + size, y + size)], color.filled());
        root.draw(&square(left, top, EDGE as i32 * PIXEL, PAPER))?;
        for pixel in 0..N_PIXELS {
            let (x, y) = (left + (pixel % EDGE) as i32 * PIXEL, top + (pixel / EDGE) as i32 * PIXEL);
            if let Some(color) = color(scene * N_PIXELS + pixel) {
                root.draw(&square(x, y, PIXEL, color))?;
            }
        }
    }
    Ok(())
}

fn draw_legend(root: &Canvas<'_>, top: i32) -> Result<()> {
    let digits = COLORS.iter().enumerate().map(|(digit, &color)| (digit.to_string(), color));
    for (k, (name, color)) in digits.chain([("void, not judged".into(), NOT_JUDGED)]).enumerate() {
        let x = LEFT + k as i32 * 3 * SWATCH;
        root.draw(&Rectangle::new([(x, top), (x + SWATCH, top + SWATCH)], color.filled()))?;
        root.draw_text(&name, &text(16.0, INK, FontStyle::Normal), (x + SWATCH + 6, top))?;
    }
    Ok(())
}

fn color(class: u32) -> Option<RGBColor> {
    match class {
        BACKGROUND => None,
        VOID => Some(NOT_JUDGED),
        digit => Some(COLORS[digit as usize - 1]),
    }
}

/// From one colour, share 0, to another, share 1.
fn blend(from: RGBColor, to: RGBColor, share: f32) -> RGBColor {
    let channel = |from: u8, to: u8| (f32::from(from) + share * (f32::from(to) - f32::from(from))) as u8;
    RGBColor(channel(from.0, to.0), channel(from.1, to.1), channel(from.2, to.2))
}

fn text(size: f64, color: RGBColor, style: FontStyle) -> TextStyle<'static> {
    let (font, color) = ((FONT, size, style).into_font(), color.to_backend_color());
    TextStyle { font, color, pos: Pos::new(HPos::Left, VPos::Top) }
}
