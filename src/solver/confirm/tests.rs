use super::*;

#[tokio::test(start_paused = true)]
async fn an_age_says_that_a_record_is_another_only_by_more_than_a_second() {
    let seen = Instant::now() + Duration::from_mins(1);
    let listed = seen + Duration::from_secs(10);
    let value = TxtValue::parse("value").unwrap();
    let id = |digit: &str| digit.repeat(32);
    for (age, made, is_another) in [
        (10, None, false),
        (9, None, false),
        (8, None, true),
        (8, Some(id("0")), false),
        (20, Some(id("1")), true),
    ] {
        let record = Record {
            id: id("0"),
            value: value.as_str().to_owned(),
            comment: String::new(),
            age: Duration::from_secs(age),
        };
        let listing = Listing(Some((listed, vec![record])));
        assert_eq!(listing.is_another(seen, &value, || made.clone()), is_another, "{age} s, {made:?}");
    }
}
