//! The curves as an SVG: a column per chapter, training loss above, held-out quality below.

use std::{ops::Range, path::Path};

use plotters::{
    coord::{
        Shift,
        ranged1d::{AsRangedCoord, Ranged, ValueFormatter},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    Result,
    data::{Images, N_CLASSES},
    report::{Chapter, Run},
};

const SIZE: (u32, u32) = (1440, 940);
const LEFT: i32 = 40;
const COLUMN: i32 = 464;
/// Top edge of the column headings; below it, of the two rows of panels; and the panels' size.
const HEADINGS: i32 = 156;
const ROWS: [i32; 2] = [58, 404];
const PANEL: (u32, u32) = (440, 320);
/// Room to the right of a panel for its curves' names.
const NAMES: u32 = 92;
/// Names closer than this would overlap.
const NAME_HEIGHT: i32 = 34;

const FONT: &str = "Inter, Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";
const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
const GREY: RGBColor = RGBColor(0x6b, 0x72, 0x7b);
const GRID: RGBColor = RGBColor(0xe7, 0xe9, 0xec);
/// Blue: cross-entropy with labels, in every chapter.
const BASE: RGBColor = RGBColor(0x2f, 0x6d, 0xb5);
/// Blue, orange, green: what the chapter is about.
const ACCENTS: [RGBColor; 3] = [BASE, RGBColor(0xd9, 0x6b, 0x1f), RGBColor(0x1d, 0x8f, 0x72)];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One panel: its curves, each with its name and colour, over the epochs.
struct Panel<'a> {
    heading: String,
    curves: Vec<Curve<'a>>,
    /// A level to compare with.
    reference: Option<(&'a str, f64)>,
}

struct Curve<'a> {
    name: &'a str,
    color: RGBColor,
    /// One per epoch.
    values: Vec<f64>,
}

/// Writes the chapters' curves to `out`, under ten of the images.
pub fn draw(out: &Path, chapters: &[Chapter], images: &Images, subtitle: &str) -> Result<()> {
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let root = SVGBackend::new(out, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw_text("Three losses on handwritten digits", &text(34.0, INK, FontStyle::Bold), (LEFT, 44))?;
    root.draw_text(subtitle, &text(18.0, GREY, FontStyle::Normal), (LEFT, 96))?;
    draw_images(&root, images)?;
    let (losses, quality) = (loss_range(chapters), quality_range(chapters));
    for (k, (chapter, accent)) in chapters.iter().zip(ACCENTS).enumerate() {
        let column = root.clone().shrink((LEFT + k as i32 * COLUMN, HEADINGS), (COLUMN, SIZE.1));
        draw_headings(&column, chapter)?;
        draw_losses(&column.clone().shrink((0, ROWS[0]), PANEL), &losses_panel(chapter, accent), &losses)?;
        draw_quality(&column.clone().shrink((0, ROWS[1]), PANEL), &quality_panel(chapter, accent), &quality)?;
    }
    let credit = "Digits: test part of Optical Recognition of Handwritten Digits, Alpaydin & Kaynak 1998, UCI";
    root.draw_text(credit, &text(15.0, GREY, FontStyle::Normal), (LEFT, SIZE.1 as i32 - 34))?;
    Ok(root.present()?)
}

/// The first image of each class, at the top right.
fn draw_images(root: &Canvas<'_>, images: &Images) -> Result<()> {
    const PIXEL: i32 = 6;
    const SPACING: i32 = 8 * PIXEL + 12;
    let left = SIZE.0 as i32 - LEFT - N_CLASSES as i32 * SPACING + (SPACING - 8 * PIXEL);
    for class in 0..N_CLASSES as i32 {
        let Some(&image) = images.of_class(class).first() else { continue };
        for (k, &ink) in images.row(image).iter().enumerate().filter(|(_, ink)| **ink > 0.0) {
            let (x, y) = (left + class * SPACING + k as i32 % 8 * PIXEL, 36 + k as i32 / 8 * PIXEL);
            let shade = INK.mix(f64::from(ink)).filled();
            root.draw(&Rectangle::new([(x, y), (x + PIXEL, y + PIXEL)], shade))?;
        }
    }
    Ok(())
}

fn draw_headings(column: &Canvas<'_>, chapter: &Chapter) -> Result<()> {
    column.draw_text(chapter.title, &text(22.0, INK, FontStyle::Bold), (0, 0))?;
    column.draw_text(&chapter.setting, &text(16.0, GREY, FontStyle::Normal), (0, 28))?;
    Ok(())
}

fn losses_panel(chapter: &Chapter, accent: RGBColor) -> Panel<'_> {
    let values = |run: &Run| run.losses.iter().map(|&loss| f64::from(loss)).collect();
    Panel { heading: "training loss, log scale".into(), curves: curves(chapter, accent, values), reference: None }
}

fn quality_panel(chapter: &Chapter, accent: RGBColor) -> Panel<'_> {
    let values = |run: &Run| run.metrics.iter().map(chapter.measure).collect();
    let heading = format!("held-out {}", chapter.measured);
    Panel { heading, curves: curves(chapter, accent, values), reference: chapter.reference }
}

/// A chapter's first run is its baseline, the second what it is about.
fn curves(chapter: &Chapter, accent: RGBColor, values: impl Fn(&Run) -> Vec<f64>) -> Vec<Curve<'_>> {
    let colored = chapter.runs.iter().zip([BASE, accent]);
    colored.map(|(run, color)| Curve { name: run.name, color, values: values(run) }).collect()
}

fn draw_losses(area: &Canvas<'_>, panel: &Panel<'_>, range: &Range<f64>) -> Result<()> {
    draw_panel(area, panel, range.clone().log_scale(), range.start, &|loss| format!("{loss}"))
}

fn draw_quality(area: &Canvas<'_>, panel: &Panel<'_>, range: &Range<f64>) -> Result<()> {
    draw_panel(area, panel, range.clone(), range.start, &|share| format!("{share:.1}"))
}

/// The logarithmic range of all losses.
fn loss_range(chapters: &[Chapter]) -> Range<f64> {
    let losses = || chapters.iter().flat_map(|chapter| &chapter.runs).flat_map(|run| &run.losses);
    let positive = || losses().map(|&loss| f64::from(loss)).filter(|&loss| loss > 0.0 && loss.is_finite());
    positive().fold(1.0, f64::min) / 2.0..positive().fold(1.0, f64::max) * 1.5
}

/// From a little below the worst final result up to 1, so that differences show.
fn quality_range(chapters: &[Chapter]) -> Range<f64> {
    let results =
        |chapter: &Chapter| chapter.runs.iter().map(|run| (chapter.measure)(run.result())).fold(0.95, f64::min);
    let worst = chapters.iter().map(results).fold(0.95, f64::min);
    (((worst - 0.15) * 20.0).floor() / 20.0).max(0.0)..1.0
}

/// The panel on the given vertical scale, which starts at `bottom`.
fn draw_panel<Y>(
    area: &Canvas<'_>,
    panel: &Panel<'_>,
    scale: Y,
    bottom: f64,
    label: &dyn Fn(&f64) -> String,
) -> Result<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    area.draw_text(&panel.heading, &text(16.0, INK, FontStyle::Normal), (0, 4))?;
    let epochs = 0.0..panel.n_epochs() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(30)
        .margin_right(NAMES)
        .x_label_area_size(48)
        .y_label_area_size(46)
        .build_cartesian_2d(epochs.clone(), scale)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(text(15.0, GREY, FontStyle::Normal))
        .axis_desc_style(text(15.0, GREY, FontStyle::Normal))
        .x_desc("epoch")
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|epoch| if epoch.fract() == 0.0 { format!("{epoch}") } else { String::new() })
        .y_label_formatter(label)
        .draw()?;
    if let Some((_, level)) = panel.reference {
        let ends = [(epochs.start, level), (epochs.end, level)];
        chart.draw_series(DashedLineSeries::new(ends, 5, 5, GREY.stroke_width(1)))?;
    }
    let mut names = Vec::new();
    for curve in &panel.curves {
        let points = curve.points_from(bottom);
        let Some(&end) = points.last() else { continue };
        chart.draw_series(LineSeries::new(points, curve.color.stroke_width(2)))?;
        chart.draw_series([Circle::new(end, 4, curve.color.filled())])?;
        names.push(Name {
            text: curve.name,
            value: label_end(end.1),
            color: curve.color,
            at: chart.backend_coord(&end),
        });
    }
    if let Some((text, level)) = panel.reference {
        let at = chart.backend_coord(&(epochs.end, level));
        names.push(Name { text, value: label_end(level), color: GREY, at });
    }
    draw_names(area, names)
}

/// What is written at the end of a curve.
struct Name<'a> {
    text: &'a str,
    value: String,
    color: RGBColor,
    /// The curve's end on the canvas.
    at: (i32, i32),
}

/// Each name beside its curve's end, lower where it would overlap the one above.
fn draw_names(area: &Canvas<'_>, mut names: Vec<Name<'_>>) -> Result<()> {
    names.sort_by_key(|name| name.at.1);
    let (left, top) = area.get_base_pixel();
    let mut free = i32::MIN;
    for name in names {
        let (x, y) = (name.at.0 - left + 11, (name.at.1 - top - NAME_HEIGHT / 2).max(free));
        area.draw_text(name.text, &text(15.0, name.color, FontStyle::Bold), (x, y))?;
        area.draw_text(&name.value, &text(15.0, name.color, FontStyle::Normal), (x, y + NAME_HEIGHT / 2))?;
        free = y + NAME_HEIGHT + 4;
    }
    Ok(())
}

/// At least two significant digits of a loss, three decimals of a share.
fn label_end(value: f64) -> String {
    if value < 0.01 { format!("{value:.4}") } else { format!("{value:.3}") }
}

impl Panel<'_> {
    fn n_epochs(&self) -> usize {
        self.curves.iter().map(|curve| curve.values.len()).max().unwrap_or(1)
    }
}

impl Curve<'_> {
    /// (epoch, value), from where the curve first reaches `bottom`; what is below later lies on it.
    fn points_from(&self, bottom: f64) -> Vec<(f64, f64)> {
        let points = || self.values.iter().enumerate().map(|(k, &value)| ((k + 1) as f64, value));
        let below = points().take_while(|point| point.1 < bottom).last();
        let mut visible: Vec<_> = points().skip_while(|point| point.1 < bottom).collect();
        if let (Some((x0, y0)), Some(&(x1, y1))) = (below, visible.first()) {
            visible.insert(0, (x0 + (bottom - y0) / (y1 - y0) * (x1 - x0), bottom));
        }
        visible.iter().map(|&(x, y)| (x, y.max(bottom))).collect()
    }
}

fn text(size: f64, color: RGBColor, style: FontStyle) -> TextStyle<'static> {
    let (font, color) = ((FONT, size, style).into_font(), color.to_backend_color());
    TextStyle { font, color, pos: Pos::new(HPos::Left, VPos::Top) }
}
