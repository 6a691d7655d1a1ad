//! Drawing SVG through plotters, in colours that follow the page.
//!
//! plotters writes colours as hexadecimal attributes, which cannot change between light and dark. So every mark is
//! drawn in a colour that is only a number: its place in a list of inks. [`draw`] then replaces each such attribute
//! by the ink it stands for (a class of the page's style sheet, or a fixed colour of a heat map) and adds the text
//! that appears on hovering. One SVG element stands on one line, which is what plotters' SVG backend writes.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use crate::ReportError;
use crate::text::{escape, one_line};

/// Units a pixel: plotters' coordinates are whole numbers, so they are tenths of a pixel.
const UNITS: f64 = 10.0;

/// What a mark is painted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// A class of the style sheet, which decides about fill and stroke in light, dark and print.
    Class(&'static str),
    /// A fixed fill colour, the same in light and dark (heat maps, whose legend shows it).
    Fixed(u8, u8, u8),
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Center,
    Right,
}

/// A sheet to draw on; lengths in pixels, origin at the top left.
pub(crate) struct Canvas<'a> {
    backend: SVGBackend<'a>,
    inks: Vec<(Ink, Option<String>)>,
    failure: Option<String>,
}

/// Draws a figure and returns it as an SVG element.
///
/// `alt` says in words what the figure shows; it is the element's accessible name.
pub(crate) fn draw(
    figure: &'static str,
    (width, height): (f64, f64),
    alt: &str,
    paint: impl FnOnce(&mut Canvas<'_>),
) -> Result<String, ReportError> {
    let mut raw = String::new();
    let size = ((width * UNITS).ceil() as u32, (height * UNITS).ceil() as u32);
    let (inks, failure) = {
        let backend = SVGBackend::with_string(&mut raw, size);
        let mut canvas = Canvas {
            backend,
            inks: Vec::new(),
            failure: None,
        };
        paint(&mut canvas);
        let drawn = canvas.backend.present();
        canvas.note(drawn);
        (canvas.inks, canvas.failure)
    };
    match failure {
        Some(reason) => Err(ReportError::Figure { figure, reason }),
        None => Ok(themed(&raw, size, &inks, alt)),
    }
}

impl Canvas<'_> {
    /// A filled rectangle.
    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), ink: Ink, title: Option<&str>) {
        let style = self.ink(ink, title).filled();
        let drawn = self
            .backend
            .draw_rect(units(x, y), units(x + width, y + height), &style, true);
        self.note(drawn);
    }

    /// The outline of a rectangle.
    pub fn outline(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &'static str) {
        let style = self.ink(Ink::Class(class), None);
        let drawn = self
            .backend
            .draw_rect(units(x, y), units(x + width, y + height), &style, false);
        self.note(drawn);
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &'static str) {
        let style = self.ink(Ink::Class(class), None);
        let drawn = self
            .backend
            .draw_line(units(from.0, from.1), units(to.0, to.1), &style);
        self.note(drawn);
    }

    /// An open line through points.
    pub fn path(&mut self, points: &[(f64, f64)], class: &'static str) {
        let style = self.ink(Ink::Class(class), None);
        let drawn = self
            .backend
            .draw_path(points.iter().map(|p| units(p.0, p.1)), &style);
        self.note(drawn);
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[(f64, f64)], class: &'static str, title: Option<&str>) {
        let style = self.ink(Ink::Class(class), title).filled();
        let drawn = self
            .backend
            .fill_polygon(points.iter().map(|p| units(p.0, p.1)), &style);
        self.note(drawn);
    }

    /// A filled circle.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, class: &'static str, title: Option<&str>) {
        let style = self.ink(Ink::Class(class), title).filled();
        let drawn = self
            .backend
            .draw_circle(units(x, y), (radius * UNITS).round() as u32, &style, true);
        self.note(drawn);
    }

    /// A line of text, its middle at the height `y`; `size` in pixels.
    pub fn text(&mut self, (x, y): (f64, f64), text: &str, align: Align, size: f64, class: &'static str) {
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let color = self.ink(Ink::Class(class), None).color;
        // The backend divides the size of a font by 1.24.
        let style = TextStyle::from(("sans-serif", size * UNITS * 1.24).into_font())
            .color(&color)
            .pos(Pos::new(horizontal, VPos::Center));
        let drawn = self.backend.draw_text(&one_line(text), &style, units(x, y));
        self.note(drawn);
    }

    /// The stand-in colour of an ink.
    fn ink(&mut self, ink: Ink, title: Option<&str>) -> ShapeStyle {
        let entry = (ink, title.map(str::to_owned));
        let place = match self.inks.iter().rev().take(64).position(|known| *known == entry) {
            Some(from_the_end) => self.inks.len() - 1 - from_the_end,
            None => {
                self.inks.push(entry);
                self.inks.len() - 1
            }
        };
        let [_, red, green, blue] = (place as u32).to_be_bytes();
        RGBColor(red, green, blue).stroke_width(1)
    }

    fn note<E: std::fmt::Display>(&mut self, drawn: Result<(), E>) {
        if let (None, Err(error)) = (&self.failure, drawn) {
            self.failure = Some(error.to_string());
        }
    }
}

fn units(x: f64, y: f64) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}

/// Replaces stand-in colours by inks and the opening tag by one with a name and without a fixed size.
fn themed(raw: &str, (width, height): (u32, u32), inks: &[(Ink, Option<String>)], alt: &str) -> String {
    let natural = f64::from(width) / UNITS;
    let mut out = format!(
        "<svg class=\"fig\" viewBox=\"0 0 {width} {height}\" style=\"max-width:{:.0}px\" role=\"img\" aria-label=\"{}\">\n",
        natural * 1.2,
        escape(&one_line(alt))
    );
    for line in raw.lines().skip(1) {
        let Some((before, place, after)) = stand_in(line) else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let (ink, title) = &inks[place];
        let painted = match ink {
            Ink::Class(class) => format!("class=\"{class}\""),
            Ink::Fixed(red, green, blue) => format!("fill=\"#{red:02x}{green:02x}{blue:02x}\""),
        };
        let mut element = whole_font_size(format!("{before}{painted}{after}"));
        for attribute in [
            " opacity=\"1\"",
            " stroke=\"none\"",
            " stroke-width=\"1\"",
            " font-family=\"sans-serif\"",
        ] {
            element = element.replace(attribute, "");
        }
        if let (Some(title), Some(open)) = (title, element.strip_suffix("/>")) {
            let tag: String = open
                .chars()
                .skip(1)
                .take_while(char::is_ascii_alphabetic)
                .collect();
            element = format!("{open}><title>{}</title></{tag}>", escape(&one_line(title)));
        }
        out.push_str(&element);
        out.push('\n');
    }
    out
}

/// plotters divides font sizes, which leaves sizes such as 120.00000000000001.
fn whole_font_size(element: String) -> String {
    const KEY: &str = "font-size=\"";
    let size = element
        .split_once(KEY)
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(size, _)| size.to_owned());
    match size.as_deref().map(|text| (text, text.parse::<f64>())) {
        Some((text, Ok(size))) => element.replacen(&format!("{KEY}{text}"), &format!("{KEY}{:.0}", size), 1),
        _ => element,
    }
}

/// Finds the one `fill="#……"` or `stroke="#……"` of an element: the text before it, the ink's place, the text after it.
fn stand_in(line: &str) -> Option<(&str, usize, &str)> {
    if !line.starts_with('<') {
        return None;
    }
    let (at, start) = ["fill=\"#", "stroke=\"#"]
        .iter()
        .find_map(|key| line.find(key).map(|at| (at, at + key.len())))?;
    let place = usize::from_str_radix(line.get(start..start + 6)?, 16).ok()?;
    Some((&line[..at], place, &line[start + 7..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_take_their_class_and_title_and_names_stay_text() {
        let svg = draw("test", (100.0, 50.0), "A \"figure\"", |canvas| {
            canvas.rect((1.0, 2.0), (3.0, 4.0), Ink::Fixed(1, 2, 3), Some("<b>&"));
            canvas.circle((5.0, 5.0), 2.0, "c1", None);
            canvas.text(
                (0.0, 0.0),
                "<script>x</script>\nfill=\"#000000\"",
                Align::Left,
                12.0,
                "t",
            );
        })
        .unwrap();
        assert!(svg.contains("<title>&lt;b&gt;&amp;</title></rect>"), "{svg}");
        assert!(svg.contains("fill=\"#010203\""), "{svg}");
        assert!(svg.contains("class=\"c1\""), "{svg}");
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("aria-label=\"A &quot;figure&quot;\""), "{svg}");
        assert!(svg.contains("font-size=\"120\""), "{svg}");
        assert!(svg.contains("fill=&quot;#000000&quot;"), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
    }
}
