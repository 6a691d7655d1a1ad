//! Renders a report from real pictures, to look at: `cargo run -p report --example real_plate -- report.html`.
//!
//! With `--fixtures DIR` it writes the crops that the tests use instead (needs `$PHENOSURE_DATA`).

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
        [file] => {
            let html =
                report::render(&bbbc013::example(data.as_deref())).expect("the example can be rendered");
            std::fs::write(file, html).expect("the report can be written");
        }
        _ => panic!("usage: real_plate REPORT.html | real_plate --fixtures DIR"),
    }
}
