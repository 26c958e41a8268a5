//! The fractions as an SVG: two curves per operation and pass over the number of classes, of powers of two and, paler, of
//! their neighbours.

use std::path::Path;

use plotters::prelude::*;

use crate::point::Point;

const SIZE: (u32, u32) = (1040, 560);
const FONT: &str = "Inter, Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";
const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
const GREY: RGBColor = RGBColor(0x6b, 0x72, 0x7b);
const GRID: RGBColor = RGBColor(0xe7, 0xe9, 0xec);
const COLORS: [RGBColor; 6] = [
    RGBColor(0x2f, 0x6d, 0xb5),
    RGBColor(0xd9, 0x6b, 0x1f),
    RGBColor(0x3a, 0x8f, 0x5a),
    RGBColor(0xa6, 0x3d, 0x6f),
    RGBColor(0x6b, 0x5b, 0xb5),
    RGBColor(0x8a, 0x7a, 0x2c),
];

/// Writes the plot to `out`; `device` names where the numbers are from.
pub fn draw(out: &Path, points: &[Point], device: &str) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}; --out names another", out.display()))?;
    }
    let text = |size: f64, color: RGBColor| (FONT, size).into_font().color(&color);
    let root = SVGBackend::new(out, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw_text("Throughput of the floor's bytes, over the memory's", &text(26.0, INK), (40, 28))?;
    root.draw_text(device, &text(15.0, GREY), (40, 68))?;

    let classes = || points.iter().map(|point| point.n_classes as f64);
    let (fewest, most) = (classes().fold(f64::MAX, f64::min), classes().fold(2.0, f64::max));
    let top = points.iter().map(|point| 100.0 * point.fraction).fold(0.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(&root)
        .margin_top(104)
        .margin_right(40)
        .margin_left(24)
        .margin_bottom(16)
        .x_label_area_size(48)
        .y_label_area_size(56)
        .build_cartesian_2d((fewest..most).log_scale().base(2.0), 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(text(15.0, GREY))
        .x_desc("classes")
        .x_label_formatter(&|c| format!("{c:.0}"))
        .y_label_formatter(&|percent| format!("{percent:.1} %"))
        .draw()?;
    for (curve, color) in curves(points).iter().zip(COLORS.iter().cycle()) {
        let at = |point: &&Point| (point.n_classes as f64, 100.0 * point.fraction);
        let (powers, neighbours): (Vec<_>, Vec<_>) = curve.iter().partition(|point| point.n_classes.is_power_of_two());
        for (points, opacity, of) in [(powers, 1.0, "2^k"), (neighbours, 0.45, "2^k + 1")] {
            let color = color.mix(opacity);
            let name = format!("{}, {}, C = {of}", curve[0].operation, curve[0].pass_name());
            chart
                .draw_series(LineSeries::new(points.iter().map(at), color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
            chart.draw_series(points.iter().map(|point| Circle::new(at(point), 3, color.filled())))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(text(15.0, INK))
        .border_style(TRANSPARENT)
        .draw()?;
    Ok(root.present()?)
}

/// The points of each operation and pass.
fn curves(points: &[Point]) -> Vec<Vec<&Point>> {
    let mut curves: Vec<Vec<&Point>> = Vec::new();
    for point in points {
        let of_same = |curve: &&mut Vec<&Point>| (curve[0].operation, curve[0].pass) == (point.operation, point.pass);
        match curves.iter_mut().find(of_same) {
            Some(curve) => curve.push(point),
            None => curves.push(vec![point]),
        }
    }
    curves
}
