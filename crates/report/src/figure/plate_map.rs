//! The plate map: roles, doses, hits and skipped sites of every well.

use super::canvas::{Align, Canvas, Ink, draw};
use crate::text::shorten;
use crate::{PlateView, ReportError, WellRole, WellView};

/// Where the wells of a plate stand on the sheet.
pub(super) struct Grid {
    /// Side of a well's square, gap included, in pixels.
    pub side: f64,
    /// Upper left corner of the well A01.
    pub origin: (f64, f64),
    /// Size of all wells together.
    pub size: (f64, f64),
}

impl Grid {
    /// A grid that is about 330 pixels wide for plates up to 384 wells, so that it fits a phone, and wider beyond.
    pub fn of(plate: &PlateView) -> Self {
        let columns = f64::from(plate.columns.max(1));
        let side = (312.0 / columns).clamp(12.0, 52.0);
        Self {
            side,
            origin: (20.0, 16.0),
            size: (side * columns, side * f64::from(plate.rows.max(1))),
        }
    }

    /// Upper left corner of a well.
    pub fn corner(&self, row: u32, column: u32) -> (f64, f64) {
        (
            self.origin.0 + self.side * f64::from(column),
            self.origin.1 + self.side * f64::from(row),
        )
    }

    /// Width of the sheet.
    pub fn width(&self) -> f64 {
        self.origin.0 + self.size.0 + 8.0
    }

    /// Height of grid and labels.
    pub fn bottom(&self) -> f64 {
        self.origin.1 + self.size.1
    }

    /// Row letters, column numbers and a dot for each place.
    pub fn frame(&self, canvas: &mut Canvas<'_>, plate: &PlateView) {
        let every = if self.side < 16.0 { 2 } else { 1 };
        for row in (0..plate.rows).step_by(every) {
            let y = self.corner(row, 0).1 + self.side / 2.0;
            canvas.text((self.origin.0 - 4.0, y), &row_name(row), Align::Right, 9.0, "tm");
        }
        for column in (0..plate.columns).step_by(every) {
            let x = self.corner(0, column).0 + self.side / 2.0;
            canvas.text(
                (x, self.origin.1 - 8.0),
                &(column + 1).to_string(),
                Align::Center,
                9.0,
                "tm",
            );
        }
        let taken: std::collections::BTreeSet<_> =
            plate.wells.iter().map(|well| (well.row, well.column)).collect();
        for row in 0..plate.rows {
            for column in (0..plate.columns).filter(|column| !taken.contains(&(row, *column))) {
                let (x, y) = self.corner(row, column);
                canvas.circle((x + self.side / 2.0, y + self.side / 2.0), 1.2, "dot", None);
            }
        }
    }

    /// The mark of a hit: a ring inside its square, or a dot where a ring would hide the square.
    pub fn hit(
        &self,
        canvas: &mut Canvas<'_>,
        (row, column): (u32, u32),
        ring: &'static str,
        dot: &'static str,
    ) {
        let (x, y) = self.corner(row, column);
        if self.has_rings() {
            canvas.outline((x + 1.0, y + 1.0), (self.side - 3.0, self.side - 3.0), ring);
        } else {
            let middle = (self.side - 1.0) / 2.0;
            canvas.circle((x + middle, y + middle), 0.2 * self.side, dot, None);
        }
    }

    /// Whether wells are large enough for rings.
    pub fn has_rings(&self) -> bool {
        self.side >= 18.0
    }
}

/// "A" to "AF".
pub(crate) fn row_name(row: u32) -> String {
    let letter = |n: u32| char::from(b'A' + (n % 26) as u8);
    if row < 26 {
        letter(row).to_string()
    } else {
        format!("{}{}", letter(row / 26 - 1), letter(row))
    }
}

/// "A01" to "AF48".
pub(crate) fn well_name(row: u32, column: u32) -> String {
    format!("{}{:02}", row_name(row), column + 1)
}

/// What a well is, in words: "A07: wortmannin 15.6 nM, hit, 1 site skipped".
pub(super) fn describe(well: &WellView) -> String {
    let mut text = format!("{}: ", well_name(well.row, well.column));
    match (&well.treatment, well.role) {
        (Some(treatment), WellRole::Treatment) => text.push_str(treatment),
        (Some(treatment), role) => text.push_str(&format!("{} ({treatment})", role_name(role))),
        (None, role) => text.push_str(role_name(role)),
    }
    if let Some(dose) = &well.dose {
        text.push_str(&format!(" {dose}"));
    }
    if well.is_hit {
        text.push_str(", hit");
    }
    match well.sites_skipped {
        0 => {}
        1 => text.push_str(", 1 site skipped"),
        n => text.push_str(&format!(", {n} sites skipped")),
    }
    text
}

/// The role in words.
pub(super) fn role_name(role: WellRole) -> &'static str {
    match role {
        WellRole::Negcon => "negative control",
        WellRole::Poscon => "positive control",
        WellRole::Treatment => "treatment",
        WellRole::Empty => "not in the plate map",
    }
}

fn role_class(role: WellRole) -> (&'static str, &'static str) {
    match role {
        WellRole::Negcon => ("negcon", "on-negcon"),
        WellRole::Poscon => ("poscon", "on-poscon"),
        WellRole::Treatment => ("treated", "t"),
        WellRole::Empty => ("unmapped", "tm"),
    }
}

/// What is written in a well: a sign for controls, the dose without unit or the start of the name for treatments.
fn label(well: &WellView, side: f64) -> Option<String> {
    if side < 18.0 {
        return None;
    }
    let text = match well.role {
        WellRole::Negcon => "\u{2212}".to_owned(),
        WellRole::Poscon => "+".to_owned(),
        WellRole::Empty => return None,
        WellRole::Treatment => {
            let text = well
                .dose
                .as_deref()
                .and_then(|dose| dose.split_whitespace().next())
                .or(well.treatment.as_deref())?;
            shorten(text, (side / 4.6) as usize).into_owned()
        }
    };
    Some(text)
}

/// Draws the map of one plate with its key.
pub(crate) fn plate_map(plate: &PlateView) -> Result<String, ReportError> {
    let grid = Grid::of(plate);
    let roles = [
        WellRole::Negcon,
        WellRole::Poscon,
        WellRole::Treatment,
        WellRole::Empty,
    ];
    let present: Vec<(WellRole, usize)> = roles
        .into_iter()
        .map(|role| (role, plate.wells.iter().filter(|well| well.role == role).count()))
        .filter(|(_, n)| *n > 0)
        .collect();
    let hits = plate.wells.iter().filter(|well| well.is_hit).count();
    let skipped = plate.wells.iter().filter(|well| well.sites_skipped > 0).count();
    let mut alt = format!("Plate map of {}: ", plate.name);
    alt.push_str(
        &present
            .iter()
            .map(|(role, n)| format!("{n} wells {}", role_name(*role)))
            .collect::<Vec<_>>()
            .join(", "),
    );
    alt.push_str(&format!(
        "; {hits} wells with a hit, {skipped} with skipped sites."
    ));

    let keys = present.len() + usize::from(hits > 0) + usize::from(skipped > 0);
    let height = grid.bottom() + 8.0 + 16.0 * keys.div_ceil(2) as f64;
    draw("plate map", (grid.width(), height), &alt, |canvas| {
        grid.frame(canvas, plate);
        for well in &plate.wells {
            let (x, y) = grid.corner(well.row, well.column);
            let (fill, on) = role_class(well.role);
            canvas.rect(
                (x, y),
                (grid.side - 1.0, grid.side - 1.0),
                Ink::Class(fill),
                Some(&describe(well)),
            );
            if let Some(text) = label(well, grid.side) {
                let is_sign = matches!(well.role, WellRole::Negcon | WellRole::Poscon);
                let size = match text.chars().count() {
                    _ if is_sign => 13.0,
                    _ if grid.side > 40.0 => 10.0,
                    5.. => 7.2,
                    _ => 8.0,
                };
                canvas.text(
                    (x + grid.side / 2.0, y + grid.side / 2.0),
                    &text,
                    Align::Center,
                    size,
                    on,
                );
            }
            if well.is_hit {
                grid.hit(canvas, (well.row, well.column), "hitring", on);
            }
            if well.sites_skipped > 0 {
                cross(canvas, (x + 2.0, y + 2.0), grid.side - 5.0);
            }
        }
        let mut place = 0;
        let mut next = || {
            let at = (
                grid.origin.0 + grid.size.0.max(280.0) / 2.0 * f64::from(place % 2),
                grid.bottom() + 8.0 + 16.0 * f64::from(place / 2),
            );
            place += 1;
            at
        };
        for (role, n) in &present {
            let (x, y) = next();
            canvas.rect((x, y), (11.0, 11.0), Ink::Class(role_class(*role).0), None);
            let sign = match role {
                WellRole::Negcon => "\u{2212}",
                WellRole::Poscon => "+",
                _ => "",
            };
            canvas.text((x + 5.5, y + 5.5), sign, Align::Center, 10.0, role_class(*role).1);
            canvas.text(
                (x + 16.0, y + 5.5),
                &format!("{} ({n})", role_name(*role)),
                Align::Left,
                10.0,
                "t",
            );
        }
        if hits > 0 {
            let (x, y) = next();
            if grid.has_rings() {
                canvas.outline((x + 1.0, y + 1.0), (9.0, 9.0), "hitring");
            } else {
                canvas.circle((x + 5.5, y + 5.5), 2.5, "t", None);
            }
            canvas.text(
                (x + 16.0, y + 5.5),
                &format!("hit ({hits})"),
                Align::Left,
                10.0,
                "t",
            );
        }
        if skipped > 0 {
            let (x, y) = next();
            cross(canvas, (x + 1.0, y + 1.0), 9.0);
            canvas.text(
                (x + 16.0, y + 5.5),
                &format!("skipped sites ({skipped})"),
                Align::Left,
                10.0,
                "t",
            );
        }
    })
}

fn cross(canvas: &mut Canvas<'_>, (x, y): (f64, f64), side: f64) {
    canvas.line((x, y), (x + side, y + side), "cross");
    canvas.line((x + side, y), (x, y + side), "cross");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wells_are_named_up_to_1536() {
        assert_eq!(well_name(0, 0), "A01");
        assert_eq!(well_name(25, 9), "Z10");
        assert_eq!(well_name(26, 0), "AA01");
        assert_eq!(well_name(31, 47), "AF48");
    }

    #[test]
    fn a_well_is_described_in_words() {
        let well = WellView {
            row: 0,
            column: 6,
            treatment: Some("wortmannin".into()),
            dose: Some("15.6 nM".into()),
            is_hit: true,
            sites_skipped: 1,
            ..WellView::default()
        };
        assert_eq!(describe(&well), "A07: wortmannin 15.6 nM, hit, 1 site skipped");
    }

    #[test]
    fn every_plate_size_is_drawn() {
        for (rows, columns) in [(2, 3), (4, 6), (8, 12), (16, 24), (32, 48)] {
            let wells = vec![WellView {
                row: rows - 1,
                column: columns - 1,
                ..WellView::default()
            }];
            let svg = plate_map(&PlateView {
                rows,
                columns,
                wells,
                ..PlateView::default()
            })
            .unwrap();
            assert!(
                svg.contains(&format!(
                    "<title>{}: treatment</title>",
                    well_name(rows - 1, columns - 1)
                )),
                "{svg}"
            );
        }
    }
}
