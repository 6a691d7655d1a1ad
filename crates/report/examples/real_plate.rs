//! Renders a report from real pictures, to look at: `cargo run -p report --example real_plate -- report.html`.
//!
//! With `--large` it adds plates of 6, 384 and 1536 wells made of the same wells. With `--fixtures DIR` it writes the crops that the tests use instead (needs `$PHENOSURE_DATA`).

#[path = "../tests/bbbc013/mod.rs"]
mod bbbc013;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let data = bbbc013::data_folder();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--fixtures", folder] => {
            let data = data.expect("PHENOSURE_DATA names the folder of the shared data");
            bbbc013::write_fixtures(&data, folder.as_ref());
        }
        ["--large", file] => {
            let data = large(bbbc013::example(data.as_deref()));
            let html = report::render(&data).expect("the example can be rendered");
            std::fs::write(file, html).expect("the report can be written");
        }
        [file] => {
            let html =
                report::render(&bbbc013::example(data.as_deref())).expect("the example can be rendered");
            std::fs::write(file, html).expect("the report can be written");
        }
        _ => panic!("usage: real_plate [--large] REPORT.html | real_plate --fixtures DIR"),
    }
}

/// Larger and smaller plates, to see whether figures and montages hold: the wells of the real one over and over.
fn large(mut data: report::ReportData) -> report::ReportData {
    let real = data.plates[0].clone();
    for (name, rows, columns) in [
        ("six", 2, 3),
        ("P-384", 16, 24),
        ("a long name of a plate, 1536 wells <b>", 32, 48),
    ] {
        let mut plate = report::PlateView {
            name: name.into(),
            rows,
            columns,
            wells: Vec::new(),
            ..real.clone()
        };
        for map in &mut plate.heat_maps {
            map.values.clear();
        }
        let mut montage = report::Montage::default();
        for (place, (row, column)) in (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .enumerate()
        {
            let from = place * 7 % real.wells.len();
            plate.wells.push(report::WellView {
                row,
                column,
                ..real.wells[from].clone()
            });
            for (map, known) in plate.heat_maps.iter_mut().zip(&real.heat_maps) {
                map.values.push(known.values[from]);
            }
            if let Some(known) = &real.montage {
                let picture = known.cells[from].picture.clone();
                montage.cells.push(report::MontageCell { row, column, picture });
            }
        }
        plate.montage = (rows < 32).then_some(montage);
        data.plates.push(plate);
    }
    data
}
