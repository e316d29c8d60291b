use landfall_store::{
    CampaignRow, CredentialRow, EdgeEventRow, EdgeRow, EdgeTokenRow, Enrollment, Fleet, FleetEdges, FleetWrite,
    KnownEdge, MemberRow, NewEdge, Pool, PresenceRow,
};

fn token(id: &str, max_uses: Option<i64>) -> EdgeTokenRow {
    EdgeTokenRow {
        id: id.to_owned(),
        prefix: format!("prefix-{id}"),
        digest: "00ff".to_owned(),
        label: "workshop".to_owned(),
        labels: "[]".to_owned(),
        max_uses,
        used_count: 0,
        expires_at: Some(1000),
        created_at: 1,
        created_by: "anna".to_owned(),
        last_used_at: None,
        revoked_at: None,
    }
}

fn new_edge(token: &str, device: &str, event: i64) -> NewEdge {
    NewEdge {
        edge: EdgeRow {
            id: format!("id-{device}-{event}"),
            device_number: device.to_owned(),
            lifecycle: "ACTIVE".to_owned(),
            upgrade_status: "IDLE".to_owned(),
            labels: "[]".to_owned(),
            ..EdgeRow::default()
        },
        credential: CredentialRow {
            prefix: format!("{device}-{event}"),
            edge: 0,
            digest: "0a".to_owned(),
            created_at: 10,
            expires_at: None,
            revoked_at: None,
        },
        event: EdgeEventRow {
            number: event,
            at: 10,
            edge: 0,
            campaign: String::new(),
            kind: "enrolled".to_owned(),
            text: "enrolled".to_owned(),
        },
        token: token.to_owned(),
    }
}

pub(crate) async fn a_token_enrolls_as_often_as_it_says_and_a_taken_device_number_uses_none(pool: &Pool) {
    let fleet = Fleet::over(pool);
    fleet.write(&[FleetWrite::Token(token("a", Some(2)))]).await.expect("minted");
    let first = fleet.enroll(&new_edge("a", "edge-1", 1), 10).await.expect("asked");
    let Enrollment::Done(edge) = first else { panic!("not enrolled: {first:?}") };
    assert_eq!(edge.number, 1);
    assert_eq!(fleet.enroll(&new_edge("a", "edge-1", 2), 10).await.expect("asked"), Enrollment::Taken);
    assert_eq!(fleet.tokens().await.expect("read")[0].used_count, 1, "what failed is not counted");
    assert!(matches!(fleet.enroll(&new_edge("a", "edge-2", 3), 10).await, Ok(Enrollment::Done(_))));
    assert_eq!(fleet.enroll(&new_edge("a", "edge-3", 4), 10).await.expect("asked"), Enrollment::BadToken);
    assert_eq!(fleet.enroll(&new_edge("none", "edge-3", 5), 10).await.expect("asked"), Enrollment::BadToken);
    fleet.write(&[FleetWrite::Token(token("b", None))]).await.expect("minted");
    assert_eq!(fleet.enroll(&new_edge("b", "edge-3", 6), 1000).await.expect("asked"), Enrollment::BadToken, "too late");
    fleet.write(&[FleetWrite::Token(EdgeTokenRow { revoked_at: Some(9), ..token("b", None) })]).await.expect("revoked");
    assert_eq!(fleet.enroll(&new_edge("b", "edge-3", 7), 10).await.expect("asked"), Enrollment::BadToken);
    assert_eq!(edges(&fleet).await.edges.len(), 2);
    // Page by page each is read once.
    let first = fleet.edges(0, 1).await.expect("read");
    let then = fleet.edges(first.edges[0].number, 1).await.expect("read");
    assert!(fleet.edges(then.edges[0].number, 1).await.expect("read").edges.is_empty());
    let owners = |some: &FleetEdges| some.credentials.iter().map(|row| row.edge).collect::<Vec<_>>();
    assert_eq!((owners(&first), owners(&then)), (vec![1], vec![2]));
}

async fn edges(fleet: &Fleet) -> FleetEdges {
    fleet.edges(0, 1000).await.expect("read")
}

pub(crate) async fn of_a_hundred_parallel_enrollments_as_many_succeed_as_the_token_allows(pool: &Pool) {
    let fleet = Fleet::over(pool);
    fleet.write(&[FleetWrite::Token(token("a", Some(10)))]).await.expect("minted");
    let mut asked = Vec::new();
    for number in 1..=100 {
        let (fleet, new) = (fleet.clone(), new_edge("a", &format!("edge-{number}"), number));
        asked.push(tokio::spawn(async move { fleet.enroll(&new, 10).await }));
    }
    let mut done = 0;
    for answer in asked {
        match answer.await.expect("asked").expect("answered") {
            Enrollment::Done(_) => done += 1,
            other => assert_eq!(other, Enrollment::BadToken),
        }
    }
    assert_eq!(done, 10);
    let (contents, known) = (fleet.load().await.expect("read"), edges(&fleet).await);
    assert_eq!((known.edges.len(), known.credentials.len(), contents.tokens[0].used_count), (10, 10, 10));
}

pub(crate) async fn enrollments_of_one_batch_are_each_decided_by_what_those_before_them_left(pool: &Pool) {
    let fleet = Fleet::over(pool);
    let tokens = [FleetWrite::Token(token("a", Some(2))), FleetWrite::Token(token("b", None))];
    fleet.write(&tokens).await.expect("minted");
    let asked = [
        new_edge("a", "edge-1", 1),
        new_edge("a", "edge-1", 2),
        new_edge("none", "edge-2", 3),
        new_edge("a", "edge-2", 4),
        new_edge("a", "edge-3", 5),
        new_edge("a", "edge-1", 6),
        new_edge("b", "edge-3", 7),
    ];
    let told = fleet.enroll_all(&asked, 10).await.expect("asked");
    let told: Vec<_> = told
        .iter()
        .map(|it| match it {
            Enrollment::Done(edge) => edge.device_number.as_str(),
            Enrollment::Taken => "taken",
            Enrollment::BadToken => "bad",
        })
        .collect();
    // Whose token is used up does not hear whether a number is taken.
    assert_eq!(told, ["edge-1", "taken", "bad", "edge-2", "bad", "bad", "edge-3"]);
    let (contents, known) = (fleet.load().await.expect("read"), edges(&fleet).await);
    assert_eq!(known.edges.iter().map(|edge| edge.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(contents.tokens.iter().map(|token| token.used_count).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((known.credentials.len(), contents.last_event), (3, 7));
}

pub(crate) async fn a_batch_of_enrollments_that_cannot_be_written_leaves_nothing_behind(pool: &Pool) {
    let fleet = Fleet::over(pool);
    fleet.write(&[FleetWrite::Token(token("a", Some(2)))]).await.expect("minted");
    // The second event has the first one's number.
    let asked = [new_edge("a", "edge-1", 1), new_edge("a", "edge-2", 1)];
    assert!(fleet.enroll_all(&asked, 10).await.is_err());
    let (contents, known) = (fleet.load().await.expect("read"), edges(&fleet).await);
    assert_eq!((known.edges.len(), known.credentials.len(), contents.tokens[0].used_count), (0, 0, 0));
    assert!(matches!(fleet.enroll(&asked[0], 10).await, Ok(Enrollment::Done(_))));
}

pub(crate) async fn a_credentials_prefix_is_never_taken_from_the_edge_that_it_finds(pool: &Pool) {
    let fleet = Fleet::over(pool);
    fleet.write(&[FleetWrite::Token(token("a", None))]).await.expect("minted");
    let first = new_edge("a", "edge-1", 1);
    assert!(matches!(fleet.enroll(&first, 10).await, Ok(Enrollment::Done(_))));
    let second = new_edge("a", "edge-2", 2);
    let alike = CredentialRow { prefix: first.credential.prefix.clone(), digest: "0b".to_owned(), ..second.credential };
    assert!(fleet.enroll(&NewEdge { credential: alike.clone(), ..second.clone() }, 10).await.is_err());
    assert!(fleet.write(&[FleetWrite::Credential(CredentialRow { edge: 2, ..alike.clone() })]).await.is_err());
    let known = KnownEdge { edge: second.edge, credentials: vec![alike] };
    let taken = fleet.take_over(&[known], &[]).await.expect("asked");
    assert!(taken.iter().all(|it| it.credentials.is_empty()), "{taken:?}");
    let (contents, known) = (fleet.load().await.expect("read"), edges(&fleet).await);
    let kept: Vec<_> = known.credentials.iter().map(|row| (row.edge, row.digest.as_str())).collect();
    assert_eq!((kept, contents.tokens[0].used_count), (vec![(1, "0a")], 1));
    let anew = CredentialRow { digest: "0c".to_owned(), ..known.credentials[0].clone() };
    fleet.write(&[FleetWrite::Credential(anew)]).await.expect("its own may be kept anew");
    assert_eq!(edges(&fleet).await.credentials[0].digest, "0c");
}

pub(crate) async fn an_edge_that_may_enroll_once_more_keeps_its_number_and_loses_its_credentials(pool: &Pool) {
    let fleet = Fleet::over(pool);
    fleet.write(&[FleetWrite::Token(token("a", None))]).await.expect("minted");
    let Ok(Enrollment::Done(edge)) = fleet.enroll(&new_edge("a", "edge-1", 1), 10).await else { panic!("enrolled") };
    let allowed = EdgeRow { reenroll_until: Some(100), ..*edge };
    fleet.write(&[FleetWrite::Edge(allowed)]).await.expect("allowed");
    let Ok(Enrollment::Done(again)) = fleet.enroll(&new_edge("a", "edge-1", 2), 50).await else { panic!("enrolled") };
    assert_eq!((again.number, again.id.as_str()), (1, "id-edge-1-1"));
    let known = edges(&fleet).await;
    assert_eq!(known.credentials.iter().map(|row| row.revoked_at).collect::<Vec<_>>(), [Some(50), None]);
    assert_eq!(fleet.enroll(&new_edge("a", "edge-1", 3), 50).await.expect("asked"), Enrollment::Taken, "once");
}

pub(crate) async fn a_batch_of_the_fleet_is_written_whole_and_read_back(pool: &Pool) {
    let fleet = Fleet::over(pool);
    let campaign = CampaignRow {
        id: "c1".to_owned(),
        number: 1,
        name: "spring".to_owned(),
        selector: String::new(),
        spec: "{}".to_owned(),
        standing: "{}".to_owned(),
        created_at: 1,
        created_by: "anna".to_owned(),
        undoes: String::new(),
    };
    let member = MemberRow {
        campaign: "c1".to_owned(),
        edge: 7,
        place: 0,
        wave: 0,
        state: "QUEUED".to_owned(),
        attempt: 0,
        unanswered: 0,
        since: 0,
        epoch: 0,
        not_before: 0,
        previous_version: None,
        failure: None,
        reason: None,
    };
    let presence = PresenceRow {
        number: 7,
        seen_at: 5,
        installed: "[]".to_owned(),
        starts: r#"[["0a", 4]]"#.to_owned(),
        ..PresenceRow::default()
    };
    let event = new_edge("a", "x", 3).event;
    let batch = [
        FleetWrite::Campaign(campaign.clone()),
        FleetWrite::Member(member.clone()),
        FleetWrite::Presence(presence.clone()),
        FleetWrite::Event(EdgeEventRow { edge: 7, ..event.clone() }),
    ];
    fleet.write(&batch).await.expect("written");
    let later = MemberRow { state: "OFFERED".to_owned(), attempt: 1, ..member };
    // The second event has the first one's number: nothing of its batch is written.
    let broken = [FleetWrite::Member(later.clone()), FleetWrite::Event(event)];
    assert!(fleet.write(&broken).await.is_err());
    assert_eq!(fleet.load().await.expect("read").members[0].state, "QUEUED");
    fleet.write(&[FleetWrite::Member(later.clone())]).await.expect("written");
    let contents = fleet.load().await.expect("read");
    assert_eq!((contents.campaigns, contents.members), (vec![campaign], vec![later]));
    assert_eq!((edges(&fleet).await.presence, contents.last_event), (vec![presence], 3));
    assert_eq!(fleet.events(7, 10).await.expect("read").len(), 1);
    fleet.write(&[FleetWrite::ForgetEvents(3)]).await.expect("forgotten");
    assert!(fleet.events(7, 10).await.expect("read").is_empty());
}

/// As a fleet of thousands is heard within the seconds between two writings.
pub(crate) async fn presence_of_many_is_written_in_its_order_and_the_last_of_each_counts(pool: &Pool) {
    let fleet = Fleet::over(pool);
    let heard = |number: i64, seen_at: i64| {
        let installed = format!(r#"[{{"product":"kiosk","version":"1.{number}"}}]"#);
        let last_error = (number % 3 == 0).then(|| "no route".to_owned());
        PresenceRow { number, seen_at, installed, last_error, ..PresenceRow::default() }
    };
    let mut batch: Vec<FleetWrite> = (1..=453).map(|number| FleetWrite::Presence(heard(number, 1))).collect();
    // Some are heard once more, before and after an edge is let go.
    batch.extend((1..=10).map(|number| FleetWrite::Presence(heard(number, 2))));
    batch.extend([FleetWrite::Forget(4), FleetWrite::Forget(5), FleetWrite::Presence(heard(5, 3))]);
    fleet.write(&batch).await.expect("written");
    let expected: Vec<PresenceRow> = (1..=453)
        .filter(|number| *number != 4)
        .map(|number| {
            heard(
                number,
                if number == 5 {
                    3
                } else if number <= 10 {
                    2
                } else {
                    1
                },
            )
        })
        .collect();
    assert_eq!(edges(&fleet).await.presence, expected);
}

pub(crate) async fn the_number_of_an_edge_that_is_gone_is_nobodys_again(pool: &Pool) {
    let fleet = Fleet::over(pool);
    fleet.write(&[FleetWrite::Token(token("a", None))]).await.expect("minted");
    let number = async |device: &str, event| match fleet.enroll(&new_edge("a", device, event), 5).await.expect("asked")
    {
        Enrollment::Done(row) => row.number,
        other => panic!("{device}: {other:?}"),
    };
    assert_eq!((number("edge-1", 1).await, number("edge-2", 2).await), (1, 2));
    // Events are let go of, too, in the end.
    fleet.write(&[FleetWrite::Forget(2), FleetWrite::ForgetEvents(2)]).await.expect("written");
    assert_eq!(number("edge-3", 3).await, 3);
    let known = KnownEdge { edge: new_edge("a", "edge-4", 4).edge, credentials: Vec::new() };
    let taken = fleet.take_over(&[known], &[]).await.expect("taken over");
    assert_eq!(taken[0].edge.number, 4);
}
