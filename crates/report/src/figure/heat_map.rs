//! One quantity over a plate.

use super::canvas::{Align, Ink, draw};
use super::palette::color;
use super::plate_map::{Grid, describe};
use crate::number::{plain, scaled};
use crate::{HeatMap, Palette, PlateView, ReportError, Scale};

/// The range of values that a heat map's colours span, shared by all maps of one title.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HeatDomain {
    low: f64,
    high: f64,
}

impl HeatDomain {
    /// The domain of all maps of one title (several plates).
    ///
    /// Diverging: symmetric about the centre. Sequential: from 0 if the smallest value is below half of the largest,
    /// else from the smallest, so that differences between high values stay visible; the key shows both ends.
    pub fn over<'a>(maps: impl IntoIterator<Item = &'a HeatMap>) -> Option<Self> {
        let mut palette = Palette::Sequential;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for map in maps {
            palette = map.palette;
            for value in map.values.iter().flatten().filter(|value| value.is_finite()) {
                low = low.min(*value);
                high = high.max(*value);
            }
        }
        if low > high {
            return None;
        }
        match palette {
            Palette::Diverging { center } => {
                let reach = (high - center).abs().max((center - low).abs()).max(1e-9);
                (low, high) = (center - reach, center + reach);
            }
            Palette::Sequential if low >= 0.0 && low < 0.5 * high => low = 0.0,
            Palette::Sequential => {}
        }
        Some(Self { low, high })
    }

    fn place(self, value: f64) -> f64 {
        if self.high > self.low {
            (value - self.low) / (self.high - self.low)
        } else {
            0.5
        }
    }
}

/// A value in the width of a well, about four characters: shares as per cent without sign, other numbers with the
/// decimals that the map's range needs and without a leading zero.
fn in_well(value: f64, scale: Scale, domain: HeatDomain) -> String {
    let largest = domain.low.abs().max(domain.high.abs());
    let decimals = match scale {
        Scale::Share => return plain(100.0 * value, 0),
        Scale::Count => 0,
        Scale::Ratio | Scale::Number if value.abs() >= 9.95 => 0,
        Scale::Ratio | Scale::Number if largest >= 1.0 => 1,
        Scale::Ratio | Scale::Number if largest >= 0.1 => 2,
        Scale::Ratio | Scale::Number => 3,
    };
    let text = plain(value, decimals);
    if decimals > 1 {
        text.replacen("0.", ".", 1)
    } else {
        text
    }
}

/// Draws a heat map with its key. `None` values are drawn as dashed boxes; hits keep their ring.
pub(crate) fn heat_map(
    plate: &PlateView,
    map: &HeatMap,
    domain: Option<HeatDomain>,
) -> Result<String, ReportError> {
    let grid = Grid::of(plate);
    let known: Vec<f64> = map
        .values
        .iter()
        .flatten()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    let extreme =
        |pick: fn(f64, f64) -> f64, start: f64| scaled(known.iter().copied().fold(start, pick), map.scale);
    let alt = if known.is_empty() {
        format!(
            "Heat map of plate {}, {}: no well has a value.",
            plate.name, map.title
        )
    } else {
        format!(
            "Heat map of plate {}, {}: {} wells from {} to {}; {} without a value.",
            plate.name,
            map.title,
            known.len(),
            extreme(f64::min, f64::INFINITY),
            extreme(f64::max, f64::NEG_INFINITY),
            map.values.len() - known.len()
        )
    };
    draw("heat map", (grid.width(), grid.bottom() + 36.0), &alt, |canvas| {
        grid.frame(canvas, plate);
        for (well, value) in plate.wells.iter().zip(&map.values) {
            let (x, y) = grid.corner(well.row, well.column);
            let middle = (x + grid.side / 2.0, y + grid.side / 2.0);
            let side = grid.side - 1.0;
            let known = value.filter(|value| value.is_finite()).zip(domain);
            let Some((value, domain)) = known else {
                canvas.rect(
                    (x, y),
                    (side, side),
                    Ink::Class("missing"),
                    Some(&format!("{}; no value", describe(well))),
                );
                continue;
            };
            let (ink, is_light) = color(map.palette, domain.place(value));
            let title = format!("{}; {}: {}", describe(well), map.title, scaled(value, map.scale));
            canvas.rect((x, y), (side, side), ink, Some(&title));
            if grid.side >= 20.0 {
                let class = if is_light { "on-light" } else { "on-dark" };
                canvas.text(
                    middle,
                    &in_well(value, map.scale, domain),
                    Align::Center,
                    if grid.side > 40.0 { 12.0 } else { 9.0 },
                    class,
                );
            }
            if well.is_hit {
                let (ring, dot) = if is_light {
                    ("ring-dark", "on-light")
                } else {
                    ("ring-light", "on-dark")
                };
                grid.hit(canvas, (well.row, well.column), ring, dot);
            }
        }
        if let Some(domain) = domain {
            let (left, top, width) = (grid.origin.0, grid.bottom() + 7.0, grid.size.0.min(312.0));
            const PARTS: u32 = 26;
            for part in 0..PARTS {
                let share = (f64::from(part) + 0.5) / f64::from(PARTS);
                let x = left + width * f64::from(part) / f64::from(PARTS);
                let ink = color(map.palette, share).0;
                canvas.rect((x, top), (width / f64::from(PARTS) + 0.5, 9.0), ink, None);
            }
            let y = top + 18.0;
            let middle = (domain.low + domain.high) / 2.0;
            canvas.text((left, y), &scaled(domain.low, map.scale), Align::Left, 9.5, "t");
            canvas.text(
                (left + width / 2.0, y),
                &scaled(middle, map.scale),
                Align::Center,
                9.5,
                "t",
            );
            canvas.text(
                (left + width, y),
                &scaled(domain.high, map.scale),
                Align::Right,
                9.5,
                "t",
            );
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WellView;

    fn map(values: &[Option<f64>], palette: Palette) -> HeatMap {
        HeatMap {
            title: "Cells".into(),
            values: values.to_vec(),
            palette,
            scale: Scale::Count,
            ..HeatMap::default()
        }
    }

    #[test]
    fn domains_are_shared_and_start_where_they_should() {
        let domain = |values: &[f64], palette| {
            let map = map(&values.iter().copied().map(Some).collect::<Vec<_>>(), palette);
            HeatDomain::over([&map]).map(|d| (d.low, d.high))
        };
        assert_eq!(domain(&[10.0, 100.0], Palette::Sequential), Some((0.0, 100.0)));
        assert_eq!(domain(&[80.0, 100.0], Palette::Sequential), Some((80.0, 100.0)));
        assert_eq!(
            domain(&[-1.0, 4.0], Palette::Diverging { center: 0.0 }),
            Some((-4.0, 4.0))
        );
        assert_eq!(domain(&[], Palette::Sequential), None);
        assert_eq!(domain(&[f64::NAN], Palette::Sequential), None);
    }

    #[test]
    fn small_numbers_keep_their_digits_in_a_well() {
        let written = |value, scale, high| in_well(value, scale, HeatDomain { low: 0.0, high });
        assert_eq!(written(0.0163, Scale::Number, 0.032), ".016");
        assert_eq!(written(0.42, Scale::Number, 0.9), ".42");
        assert_eq!(written(0.42, Scale::Ratio, 1.4), "0.4");
        assert_eq!(written(11.3, Scale::Number, 12.0), "11");
        assert_eq!(written(0.3149, Scale::Share, 1.0), "31");
    }

    #[test]
    fn a_missing_value_is_never_drawn_as_zero() {
        let wells = vec![
            WellView::default(),
            WellView {
                column: 1,
                ..WellView::default()
            },
        ];
        let plate = PlateView {
            rows: 2,
            columns: 3,
            wells,
            ..PlateView::default()
        };
        let map = map(&[Some(0.0), None], Palette::Sequential);
        let svg = heat_map(&plate, &map, HeatDomain::over([&map])).unwrap();
        assert!(
            svg.contains("class=\"missing\"><title>A02: treatment; no value</title>"),
            "{svg}"
        );
        assert!(svg.contains("<title>A01: treatment; Cells: 0</title>"), "{svg}");
    }
}
