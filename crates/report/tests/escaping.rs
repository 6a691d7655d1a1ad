//! Names are text everywhere: in the page, in figures, on hovering, in the JSON block.

mod bbbc013;
mod markup;

use report::*;

/// Puts a hostile name into every text of the data; returns how many.
fn poison(data: &mut ReportData) -> usize {
    let mut texts: Vec<&mut String> = Vec::new();
    texts.push(&mut data.title);
    texts.extend(&mut data.subtitle);
    texts.push(&mut data.verdict.sentence);
    for check in &mut data.verdict.checks {
        texts.extend([&mut check.label, &mut check.finding]);
        texts.push(check.hint.get_or_insert_default());
    }
    if let Some(hits) = &mut data.hits {
        texts.extend([&mut hits.unit, &mut hits.error_rate]);
        texts.extend(&mut hits.contrast);
        texts.extend(&mut hits.notes);
        for (place, row) in hits.rows.iter_mut().enumerate() {
            row.flags = vec![String::new()];
            texts.extend([&mut row.treatment, &mut row.call]);
            texts.extend(&mut row.dose);
            texts.extend(&mut row.wells);
            texts.extend(&mut row.flags);
            if place > 0 {
                row.effect = Estimable::NotEstimable(String::new());
            }
            match &mut row.effect {
                Estimable::Value(effect) => texts.push(&mut effect.name),
                Estimable::NotEstimable(reason) => texts.push(reason),
            }
            row.q = Estimable::NotEstimable(String::new());
            if let Estimable::NotEstimable(reason) = &mut row.q {
                texts.push(reason);
            }
            texts.extend(
                row.pictures
                    .iter_mut()
                    .chain(&mut row.control_pictures)
                    .map(|picture| &mut picture.alt),
            );
        }
    }
    for one in &mut data.not_estimable {
        texts.extend([&mut one.what, &mut one.reason]);
        texts.extend(&mut one.takes);
    }
    if let Some(Estimable::Value(candidates)) = &mut data.candidates {
        texts.push(&mut candidates.explanation);
        texts.extend(&mut candidates.contrast);
        for one in &mut candidates.phenotypes {
            one.wells.truncate(1);
            texts.push(&mut one.name);
            texts.extend(one.wells.iter_mut().map(|(well, _)| well));
            texts.extend(&mut one.treatments);
            texts.push(one.nearest_class.get_or_insert_default());
            texts.extend(one.features.iter_mut().map(|feature| &mut feature.name));
            texts.push(one.caution.get_or_insert_default());
            texts.extend(
                one.pictures
                    .iter_mut()
                    .chain(&mut one.control_pictures)
                    .map(|picture| &mut picture.alt),
            );
        }
    }
    for plate in &mut data.plates {
        texts.push(&mut plate.name);
        for well in &mut plate.wells {
            texts.extend(&mut well.treatment);
            texts.extend(&mut well.dose);
        }
        for map in &mut plate.heat_maps {
            texts.push(&mut map.title);
            texts.push(map.note.get_or_insert_default());
        }
        if let Some(montage) = &mut plate.montage {
            texts.push(&mut montage.contrast);
            texts.extend(montage.cells.iter_mut().map(|cell| &mut cell.picture.alt));
        }
    }
    if let Some(planted) = &mut data.planted {
        texts.push(&mut planted.explanation);
        texts.extend(&mut planted.summary);
        for row in &mut planted.rows {
            texts.extend([&mut row.treatment, &mut row.quantity]);
            texts.extend(&mut row.call);
            texts.extend(&mut row.expected_call);
            if let Estimable::NotEstimable(reason) = &mut row.estimate {
                texts.push(reason);
            }
        }
    }
    for panel in &mut data.doses {
        texts.extend([&mut panel.treatment, &mut panel.effect, &mut panel.unit]);
        for point in &mut panel.points {
            texts.extend([&mut point.label, &mut point.well]);
        }
    }
    for gallery in &mut data.galleries {
        texts.extend([&mut gallery.title, &mut gallery.explanation]);
        texts.extend(&mut gallery.contrast);
        for cell in gallery.cells.iter_mut().chain(&mut gallery.control_cells) {
            texts.extend([&mut cell.well, &mut cell.picture.alt]);
            texts.extend(&mut cell.lines);
        }
    }
    if let Some(Estimable::Value(scatter)) = &mut data.scatter {
        texts.extend([&mut scatter.x_label, &mut scatter.y_label]);
        for cluster in &mut scatter.clusters {
            texts.extend(&mut cluster.description);
            texts.extend(cluster.medoid.as_mut().map(|medoid| &mut medoid.alt));
        }
    }
    if let Some(Estimable::Value(reliability)) = &mut data.reliability {
        texts.push(&mut reliability.measured_on);
    }
    if let Some(Estimable::Value(entropy)) = &mut data.entropy {
        texts.extend(&mut entropy.note);
        texts.extend(entropy.groups.iter_mut().map(|group| &mut group.name));
    }
    for site in &mut data.skipped {
        texts.extend([&mut site.plate, &mut site.well, &mut site.site, &mut site.reason]);
        texts.extend(&mut site.file);
    }
    texts.extend(&mut data.warnings);
    texts.push(&mut data.run.program);
    texts.extend(&mut data.run.command);
    for fact in data.run.facts.iter_mut().chain(&mut data.run.files) {
        texts.extend([&mut fact.label, &mut fact.value]);
    }
    for credit in &mut data.credits {
        texts.extend([&mut credit.name, &mut credit.licence, &mut credit.text]);
        texts.extend(&mut credit.link);
    }
    let total = texts.len();
    for (n, text) in texts.into_iter().enumerate() {
        *text = payload(n);
    }
    total
}

/// Ends an element, an attribute, a script and a comment; reverses the direction of text; the number tells names apart.
fn payload(n: usize) -> String {
    format!("({n})<img src=x onerror=alert({n})>\"'&</script><!--\u{202e}\0")
}

#[test]
fn hostile_names_stay_text_everywhere() {
    let mut data = bbbc013::example(None);
    let total = poison(&mut data);
    assert!(total > 150, "{total}");
    let html = render(&data).unwrap();
    assert!(!html.contains("<img src=x"), "a name became an element");
    assert!(!html.contains("<!--"), "a name opened a comment");
    assert!(
        !html.contains(['\0', '\u{202e}']),
        "control characters are replaced"
    );
    for tag in markup::read(&html) {
        assert!(
            tag.attributes.iter().all(|(key, _)| !key.starts_with("on")),
            "{tag:?}"
        );
        assert_eq!(
            tag.name == "script",
            tag.attribute("type") == Some("application/json"),
            "{tag:?}"
        );
        assert!(tag.name != "a", "a hostile address is not a link: {tag:?}");
    }
    let hidden: Vec<usize> = (0..total)
        .filter(|n| !html.contains(&format!("({n})&lt;img")))
        .collect();
    assert!(hidden.is_empty(), "texts that the page does not show: {hidden:?}");
}

#[test]
fn the_json_block_holds_names_as_they_are() {
    let mut data = bbbc013::example(None);
    data.title = payload(7);
    let html = render(&data).unwrap();
    let start = html.find("<script").unwrap();
    let start = start + html[start..].find('>').unwrap() + 1;
    let block = &html[start..start + html[start..].find("</script>").unwrap()];
    assert!(!block.contains(['<', '>', '&']), "{block}");
    for part in [
        "\\u003cimg src=x onerror=alert(7)\\u003e",
        "\"usability\":\"with_limits\"",
        "\"effect_lower\":",
    ] {
        assert!(block.contains(part), "{part} in {block}");
    }
}

#[test]
fn only_web_addresses_become_links() {
    let link = |link: &str| {
        let credits = vec![Credit {
            link: Some(link.into()),
            ..Credit::default()
        }];
        render(&ReportData {
            credits,
            ..ReportData::default()
        })
        .unwrap()
    };
    assert!(link("https://doi.org/10.1038/x").contains("<a href=\"https:&#x2f;&#x2f;doi.org"));
    for other in [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://example.org",
        "HTTPS://x",
        " https://x",
    ] {
        assert!(!link(other).contains("<a "), "{other}");
    }
}
