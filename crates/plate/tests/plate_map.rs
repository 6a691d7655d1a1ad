//! Plate maps as people write them.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use plate::{PlateMap, PlateMapParams, Role};

fn read(text: &str, params: &PlateMapParams) -> Result<PlateMap, String> {
    PlateMap::parse(text.as_bytes(), Path::new("map.csv"), params).map_err(|error| error.to_string())
}

fn plain(text: &str) -> PlateMap {
    read(text, &PlateMapParams::default()).unwrap()
}

fn roles(map: &PlateMap) -> Vec<Option<Role>> {
    map.rows.iter().map(|row| row.role).collect()
}

fn controls(negcon: &[&str], poscon: &[&str]) -> PlateMapParams {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    PlateMapParams {
        negcon: owned(negcon),
        poscon: owned(poscon),
        ..PlateMapParams::default()
    }
}

#[test]
fn several_plates_share_wells() {
    let map = plain("plate,well,treatment\nP1,A01,x\nP2,A1,y\n");
    assert_eq!(map.plates(), ["P1", "P2"]);
    let message = read(
        "plate,well,treatment\nP1,A01,x\nP2,A01,y\nP1,a1,z\n",
        &PlateMapParams::default(),
    )
    .unwrap_err();
    assert!(
        message.contains("line 4") && message.contains("A01 of plate \"P1\"") && message.contains("line 2"),
        "{message}"
    );
    let message = read("plate,well\nP1,A01\n,A02\n", &PlateMapParams::default()).unwrap_err();
    assert!(
        message.contains("line 3") && message.contains("plate"),
        "{message}"
    );
}

#[test]
fn roles_come_from_jump_columns_too() {
    let map = plain(
        "well_position\tbroad_sample\tpert_type\tcontrol_type\nA01\tDMSO\tcontrol\tnegcon\nA02\tBRD1\tcontrol\tposcon_cp\nA03\tBRD2\ttrt\t\n",
    );
    assert_eq!(
        roles(&map),
        [Some(Role::Negcon), Some(Role::Poscon), Some(Role::Treatment)]
    );
    assert_eq!(map.extra_columns, ["pert_type"]);
    assert_eq!(map.rows[2].treatment.as_deref(), Some("BRD2"));
}

#[test]
fn a_map_without_roles_says_none() {
    assert_eq!(roles(&plain("well,treatment\nA01,DMSO\nA02,x\n")), [None, None]);
    let partly = plain("well,treatment,role\nA01,DMSO,negcon\nA02,x,\nA03,,\n");
    assert_eq!(roles(&partly), [Some(Role::Negcon), Some(Role::Treatment), None]);
}

#[test]
fn controls_named_by_the_user_are_the_only_ones() {
    use Role::{Negcon, Poscon, Treatment};
    let text = "well,treatment,role\nA01,none,negative\nA02,none,untreated\nA03,x,dose\nA04,y,positive\n";
    let roles = |params: &PlateMapParams| {
        roles(&read(text, params).unwrap())
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    };
    assert_eq!(roles(&controls(&[], &[])), [Negcon, Negcon, Treatment, Poscon]);
    assert_eq!(
        roles(&controls(&["negative"], &[])),
        [Negcon, Treatment, Treatment, Poscon]
    );
    assert_eq!(
        roles(&controls(&["untreated", "negative"], &["X"])),
        [Negcon, Negcon, Poscon, Treatment]
    );
    assert_eq!(
        roles(&controls(&["none"], &[])),
        [Negcon, Negcon, Treatment, Poscon]
    );
}

#[test]
fn controls_that_are_not_there_list_what_is() {
    let text = "well,treatment\nA01,DMSO\nA02,x\n";
    let message = read(text, &controls(&["RLUC"], &[])).unwrap_err();
    assert!(
        message.contains("--negcon \"RLUC\"") && message.contains("\"DMSO\", \"x\""),
        "{message}"
    );
    let message = read(text, &controls(&["x"], &["x"])).unwrap_err();
    assert!(
        message.contains("line 3") && message.contains("--poscon"),
        "{message}"
    );
}

#[test]
fn a_role_of_ones_own_is_read_where_it_is_a_named_control() {
    let text = "well,treatment,role\nA01,a,our blanks\nA02,x,trt\n";
    assert!(read(text, &PlateMapParams::default()).is_err());
    assert_eq!(
        roles(&read(text, &controls(&["our blanks"], &[])).unwrap()),
        [Some(Role::Negcon), Some(Role::Treatment)]
    );
}

#[test]
fn doses_units_and_ranks() {
    let map = plain("well,treatment,concentration_nM,dose_rank\nA01,x,0.977,1\nA02,x,,2\n");
    assert_eq!(
        (map.rows[0].dose, map.rows[0].unit.as_deref()),
        (Some(0.977), Some("nM"))
    );
    assert_eq!(
        (map.rows[1].dose, map.rows[1].unit.as_deref()),
        (None, None),
        "no unit without a dose"
    );
    assert_eq!(map.rows[1].extra["dose_rank"], "2");
    let map = plain("well,treatment,dose_rank\nA01,x,7\n");
    assert_eq!(
        (map.rows[0].dose, map.rows[0].unit.as_deref()),
        (Some(7.0), Some("rank"))
    );
    let message = read(
        "well,treatment,dose_uM,unit\nA01,x,1,nM\n",
        &PlateMapParams::default(),
    )
    .unwrap_err();
    assert!(
        message.contains("line 2") && message.contains("nM") && message.contains("uM"),
        "{message}"
    );
    let map = plain("well,treatment,dose,unit\nA01,x,1,nM\nA02,x,2,µM\n");
    assert!(
        map.warnings.len() == 1 && map.warnings[0].contains("nM and uM"),
        "{:?}",
        map.warnings
    );
}

#[test]
fn thousands_are_told_from_decimal_commas_by_the_whole_column() {
    let map = plain("well;treatment;dose\nA01;x;1,250\nA02;x;0,5\n");
    assert_eq!(map.rows[0].dose, Some(1.25));
    let message = read(
        "well;treatment;dose\nA01;x;1,250\nA02;x;2,500\n",
        &PlateMapParams::default(),
    )
    .unwrap_err();
    assert!(
        message.contains("line 2") && message.contains("1.250") && message.contains("1250"),
        "{message}"
    );
}

#[test]
fn dose_0_of_a_negative_control_is_no_news() {
    assert!(
        plain("well,treatment,dose,role\nA01,none,0,untreated\nA02,x,1,trt\n")
            .warnings
            .is_empty()
    );
}

#[test]
fn other_columns_are_carried_through_as_they_are() {
    let map = plain("well,treatment, batch ,note\nA01,DMSO , b1,  two spaces\n");
    assert_eq!(map.extra_columns, ["batch", "note"]);
    assert_eq!(map.rows[0].extra["note"], "  two spaces");
    assert_eq!(map.rows[0].treatment.as_deref(), Some("DMSO"));
}

#[test]
fn row_and_column_beside_a_well_that_disagree_are_said() {
    let map = plain("well,row,col,treatment\nA01,0,0,x\nA02,1,1,x\n");
    assert!(
        map.warnings.len() == 1 && map.warnings[0].contains("line 3"),
        "{:?}",
        map.warnings
    );
    assert!(plain("well,row,col,treatment\nA01,A,1,x\n").warnings.is_empty());
}

#[test]
fn a_spreadsheets_first_line_and_index_column() {
    let map = plain("sep=;\n;well;treatment\n0;A01;x\n");
    assert_eq!(
        (map.rows[0].line, map.rows[0].well.to_string()),
        (3, "A01".to_owned())
    );
    assert!(
        map.warnings.len() == 1 && map.warnings[0].contains("column 1"),
        "{:?}",
        map.warnings
    );
}

#[test]
fn a_map_without_a_treatment_asks_for_its_column() {
    let map = plain("well,GeneID\nA01,UBC\n");
    assert!(
        map.warnings.len() == 1
            && map.warnings[0].contains("--treatment")
            && map.warnings[0].contains("GeneID"),
        "{:?}",
        map.warnings
    );
}
