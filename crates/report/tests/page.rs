//! The page as a whole: well formed, self-contained, in the promised order, the same each time.

mod bbbc013;
mod markup;

use report::*;

fn render_example() -> String {
    render(&bbbc013::example(None)).expect("the example can be rendered")
}

#[test]
fn page_is_well_formed_and_loads_nothing() {
    let html = render_example();
    let tags = markup::read(&html);
    for tag in &tags {
        assert!(
            ![
                "link", "iframe", "object", "embed", "base", "form", "image", "use"
            ]
            .contains(&tag.name.as_str()),
            "{tag:?}"
        );
        for (key, value) in &tag.attributes {
            assert!(!key.starts_with("on"), "{tag:?}");
            match key.as_str() {
                "src" => assert!(value.starts_with("data:image/png;base64,"), "{tag:?}"),
                "href" => assert!(tag.name == "a" && value.starts_with("https:"), "{tag:?}"),
                _ => assert!(!value.contains("url("), "{tag:?}"),
            }
        }
    }
    let scripts: Vec<_> = tags.iter().filter(|tag| tag.name == "script").collect();
    assert_eq!(scripts.len(), 1);
    assert_eq!(
        scripts[0].attribute("type"),
        Some("application/json"),
        "the only script is a block of data"
    );
    assert!(!html.contains("@import") && !html.contains("url("));
    assert!(html.contains("default-src 'none'; img-src data:"));
}

#[test]
fn pictures_and_figures_say_what_they_show() {
    let html = render_example();
    let tags = markup::read(&html);
    for tag in &tags {
        match tag.name.as_str() {
            "img" => assert!(
                tag.attribute("alt").is_some_and(|alt| alt.len() > 3),
                "{:?}",
                tag.attribute("alt")
            ),
            "svg" => assert!(
                tag.attribute("aria-label").is_some_and(|label| label.len() > 8),
                "{tag:?}"
            ),
            _ => {}
        }
    }
    let figures = tags.iter().filter(|tag| tag.name == "svg").count();
    assert!(figures > 15, "{figures}");
}

#[test]
fn first_screen_keeps_its_order() {
    let html = render_example();
    let places: Vec<usize> = [
        "id=\"verdict\"",
        "id=\"hits\"",
        "id=\"candidates\"",
        "id=\"map\"",
        "id=\"planted\"",
        "<section class=\"plate\"",
        "class=\"montage\"",
        "<section class=\"dose\"",
        "<section class=\"gallery\"",
        "id=\"clusters\"",
        "id=\"reliability\"",
        "id=\"entropy\"",
        "id=\"read\"",
        "id=\"skipped\"",
        "id=\"run\"",
        "id=\"credits\"",
        "id=\"summary\"",
    ]
    .iter()
    .map(|mark| html.find(mark).unwrap_or_else(|| panic!("{mark} is missing")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn same_data_give_the_same_bytes() {
    assert_eq!(render_example(), render_example());
}

#[test]
fn sections_without_data_leave_no_trace() {
    let html = render(&ReportData::default()).unwrap();
    markup::read(&html);
    for mark in [
        "hits",
        "not-estimable",
        "candidates",
        "map",
        "planted",
        "clusters",
        "reliability",
        "entropy",
        "skipped",
        "credits",
    ] {
        assert!(!html.contains(&format!("id=\"{mark}\"")), "{mark}");
    }
    for class in ["plate", "dose", "gallery"] {
        assert!(!html.contains(&format!("<section class=\"{class}\"")), "{class}");
    }
}

#[test]
fn not_estimable_is_shown_with_its_reason() {
    let reason = |n: u32| format!("reason {n}: 1 control well, 4 are needed");
    let data = ReportData {
        hits: Some(HitTable {
            rows: vec![HitRow {
                effect: Estimable::NotEstimable(reason(1)),
                q: Estimable::NotEstimable(reason(2)),
                ..HitRow::default()
            }],
            ..HitTable::default()
        }),
        not_estimable: vec![NotEstimable {
            what: "novelty".into(),
            reason: reason(3),
            takes: Some("more controls".into()),
        }],
        candidates: Some(Estimable::NotEstimable(reason(4))),
        scatter: Some(Estimable::NotEstimable(reason(5))),
        reliability: Some(Estimable::NotEstimable(reason(6))),
        entropy: Some(Estimable::NotEstimable(reason(7))),
        planted: Some(PlantedTruth {
            rows: vec![PlantedRow {
                estimate: Estimable::NotEstimable(reason(8)),
                ..PlantedRow::default()
            }],
            ..PlantedTruth::default()
        }),
        ..ReportData::default()
    };
    let html = render(&data).unwrap();
    markup::read(&html);
    for n in 1..=8 {
        assert!(html.contains(&reason(n)), "{n}");
    }
    assert!(html.contains("It would take more controls."));
}

#[test]
fn numbers_that_are_not_finite_never_reach_the_page() {
    let mut data = bbbc013::example(None);
    for (place, value) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
        .into_iter()
        .enumerate()
    {
        let effect = |scale| Effect {
            name: "e".into(),
            estimate: Estimate::within(value, value, value),
            scale,
            control: Some(value),
        };
        data.hits = Some(HitTable {
            rows: [Scale::Share, Scale::Ratio, Scale::Count, Scale::Number]
                .map(|scale| HitRow {
                    effect: effect(scale).into(),
                    q: value.into(),
                    cells: Some((value, value)),
                    ..HitRow::default()
                })
                .into(),
            ..HitTable::default()
        });
        data.plates[0].heat_maps[place].values = vec![Some(value); data.plates[0].wells.len()];
        data.doses[0].points[0].estimate = Some(Estimate::within(value, value, value));
        if let Some(Estimable::Value(scatter)) = &mut data.scatter {
            scatter.points.push(ScatterPoint {
                x: value,
                y: value,
                cluster: Some(0),
                is_flagged: true,
            });
        }
        if let Some(Estimable::Value(reliability)) = &mut data.reliability {
            reliability.bins[place].share = value;
            reliability.band[place].high = value;
        }
        if let Some(Estimable::Value(entropy)) = &mut data.entropy {
            entropy.groups[place].epistemic = value;
        }
        let html = render(&data).unwrap();
        markup::read(&html);
        for word in ["NaN", "nan\"", " inf", ">inf", "infinity"] {
            assert!(!html.contains(word), "{value} shows as {word}");
        }
    }
}

#[test]
fn every_plate_size_and_several_plates_are_drawn() {
    for (rows, columns) in [(2, 3), (4, 6), (8, 12), (16, 24), (32, 48)] {
        let wells: Vec<WellView> = (0..rows)
            .flat_map(|row| {
                (0..columns).map(move |column| WellView {
                    row,
                    column,
                    is_hit: column == 1,
                    ..WellView::default()
                })
            })
            .collect();
        let map = HeatMap {
            title: "Cells".into(),
            scale: Scale::Count,
            values: (0..wells.len()).map(|n| Some(n as f64)).collect(),
            ..HeatMap::default()
        };
        let plate = |name: &str| PlateView {
            name: name.into(),
            rows,
            columns,
            wells: wells.clone(),
            heat_maps: vec![map.clone()],
            montage: None,
        };
        let html = render(&ReportData {
            plates: vec![plate("one"), plate("two")],
            ..ReportData::default()
        })
        .unwrap();
        markup::read(&html);
        let last = format!(
            "Cells: {}",
            if wells.len() > 1000 {
                "1,535".into()
            } else {
                (wells.len() - 1).to_string()
            }
        );
        assert_eq!(
            html.matches(&format!("{last}</title>")).count(),
            2,
            "{rows} × {columns}"
        );
    }
}

#[test]
fn wrong_data_are_refused_with_the_place() {
    let fails = |change: &dyn Fn(&mut ReportData)| {
        let mut data = bbbc013::example(None);
        change(&mut data);
        render(&data).unwrap_err().to_string()
    };
    let error = fails(&|data| data.galleries[0].cells[0].picture.png = b"GIF89a".to_vec());
    assert!(
        error.contains("gallery Most novel cells") && error.contains("not a PNG file (6 bytes)"),
        "{error}"
    );
    let error = fails(&|data| {
        data.plates[0].heat_maps[0].values.pop();
    });
    assert!(
        error.contains("\"Cells\"") && error.contains("3 values for 4 wells"),
        "{error}"
    );
    let error = fails(&|data| data.plates[0].wells[0].column = 12);
    assert!(
        error.contains("8 rows and 12 columns") && error.contains("column 12"),
        "{error}"
    );
}

/// Snapshot of everything but style, marks of figures and bytes of pictures. `UPDATE_GOLDEN=1` writes it anew; read
/// the difference before it is committed.
#[test]
fn structure_is_as_it_was_read_last() {
    let golden = bbbc013::fixture_folder().join("report_outline.html");
    let found = markup::outline(&render_example());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    for (line, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {golden:?}", line + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn a_whole_real_plate_is_rendered() {
    let Some(folder) = bbbc013::data_folder() else {
        eprintln!("skipped: PHENOSURE_DATA is not set");
        return;
    };
    let html = render(&bbbc013::example(Some(&folder))).unwrap();
    let tags = markup::read(&html);
    let pictures = tags.iter().filter(|tag| tag.name == "img").count();
    assert!(pictures > 200, "{pictures}");
    assert!(html.len() < 4 << 20, "{} bytes", html.len());
}
