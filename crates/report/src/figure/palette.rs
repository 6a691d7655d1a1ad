//! Colours that mean numbers. Both scales rise evenly in lightness, so they survive grey print and colour blindness.

use crate::Palette;
use crate::figure::canvas::Ink;

/// Cividis (Nuñez, Anderton, Renslow 2018, doi 10.1371/journal.pone.0199239), nine stops.
const CIVIDIS: [[u8; 3]; 9] = [
    [0, 34, 78],
    [26, 56, 111],
    [67, 78, 108],
    [96, 100, 111],
    [125, 124, 120],
    [157, 149, 116],
    [190, 175, 104],
    [225, 204, 85],
    [254, 232, 56],
];

/// Blue, light grey, orange: the middle is the lightest.
const DIVERGING: [[u8; 3]; 7] = [
    [33, 85, 140],
    [88, 139, 190],
    [168, 198, 222],
    [240, 240, 238],
    [243, 190, 133],
    [222, 129, 54],
    [153, 72, 13],
];

/// Colour at a place in `[0, 1]` of a palette, as (ink, whether text on it should be dark).
pub(crate) fn color(palette: Palette, place: f64) -> (Ink, bool) {
    let stops: &[[u8; 3]] = match palette {
        Palette::Sequential => &CIVIDIS,
        Palette::Diverging { .. } => &DIVERGING,
    };
    let position = place.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let lower = (position.floor() as usize).min(stops.len() - 2);
    let share = position - lower as f64;
    let mix = |channel: usize| {
        let (a, b) = (
            f64::from(stops[lower][channel]),
            f64::from(stops[lower + 1][channel]),
        );
        (a + share * (b - a)).round() as u8
    };
    let (red, green, blue) = (mix(0), mix(1), mix(2));
    (Ink::Fixed(red, green, blue), luminance(red, green, blue) > 0.2)
}

/// Relative luminance (WCAG 2.1); white text reads best below about 0.2, black above.
fn luminance(red: u8, green: u8, blue: u8) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance_at(palette: Palette, place: f64) -> f64 {
        let (Ink::Fixed(red, green, blue), _) = color(palette, place) else {
            panic!("a palette is made of fixed colours")
        };
        luminance(red, green, blue)
    }

    #[test]
    fn lightness_rises_along_the_sequential_palette() {
        let steps: Vec<f64> = (0..=40)
            .map(|i| luminance_at(Palette::Sequential, f64::from(i) / 40.0))
            .collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    }

    #[test]
    fn the_middle_of_the_diverging_palette_is_lightest_and_text_keeps_its_contrast() {
        let palette = Palette::Diverging { center: 0.0 };
        assert!(luminance_at(palette, 0.5) > luminance_at(palette, 0.2));
        assert!(luminance_at(palette, 0.5) > luminance_at(palette, 0.8));
        for palette in [palette, Palette::Sequential] {
            for i in 0..=100 {
                let place = f64::from(i) / 100.0;
                let background = luminance_at(palette, place);
                let contrast = if color(palette, place).1 {
                    (background + 0.05) / 0.05
                } else {
                    1.05 / (background + 0.05)
                };
                assert!(contrast >= 4.0, "contrast {contrast} at {place} of {palette:?}");
            }
        }
    }
}
