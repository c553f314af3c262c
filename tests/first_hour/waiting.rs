//! Waiting for a program that runs in the same runtime as the test.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use leveret::{Broker, Publish};

use crate::{assert_panics, on_one_thread, on_threads};

const LIMIT: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// A program that takes jobs and says that they are done.
async fn work(broker: Arc<Broker>) -> leveret::Result<()> {
    let channel = broker.connect()?.open_channel()?;
    let mut jobs = channel.basic_consume("jobs")?;
    while let Some(job) = jobs.next().await {
        channel.basic_publish(Publish::to_queue("done").body(job.body().to_vec()))?;
        job.ack()?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn prepared() -> Arc<Broker> {
    let broker = Arc::new(Broker::for_tests());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("jobs").unwrap();
    channel.queue_declare("done").unwrap();
    broker
}

fn fill(broker: &Broker, count: usize) {
    let jobs = (0..count).map(|n| Publish::to_queue("jobs").body(n.to_string()));
    assert_eq!(broker.publish_all(jobs).unwrap(), count);
}

async fn all_async_forms() {
    let broker = prepared();
    tokio::spawn(work(Arc::clone(&broker)));
    broker.wait_for_queue_async("jobs", |q| q.consumers == 1).await.unwrap();
    fill(&broker, 100);
    broker.wait_until_async(LIMIT, |b| b.journal().acked().count() >= 50).await.unwrap();
    broker.eventually_async(|b| b.journal().acked().count() == 100, LIMIT).await;
    broker.wait_until_idle_async(LIMIT).await.unwrap();
    let counts = broker.wait_for_queue_async("done", |q| q.ready == 100).await.unwrap();
    assert_eq!((counts.ready, counts.consumers), (100, 0));
}

#[test]
fn async_forms_let_the_program_go_on_in_every_runtime() {
    on_one_thread(all_async_forms());
    on_threads(1, all_async_forms());
    on_threads(2, all_async_forms());
}

#[test]
fn async_forms_need_no_tokio() {
    let broker = prepared();
    let filling = Arc::clone(&broker);
    let filler = std::thread::spawn(move || fill(&filling, 3));
    async_rs::util::simple_block_on(async {
        broker.wait_for_queue_async("jobs", |q| q.ready == 3).await.unwrap();
        let error = broker.wait_until_async(Duration::ZERO, |_| false).await.unwrap_err();
        assert!(error.to_string().contains("published to the default exchange"), "{error}");
    });
    filler.join().unwrap();
}

/// The blocking forms, where other threads go on.
fn all_blocking_forms(broker: &Broker) {
    broker.wait_for_queue("jobs", |q| q.consumers == 1).unwrap();
    fill(broker, 10);
    broker.wait_until(LIMIT, |b| b.journal().acked().count() == 10).unwrap();
    broker.eventually(|b| b.counts("done").is_ok_and(|q| q.ready == 10), LIMIT);
    broker.wait_until_idle(LIMIT).unwrap();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    assert_eq!(channel.basic_consume("done").unwrap().recv().unwrap().text(), "0");
}

#[test]
fn blocking_forms_let_the_program_go_on_in_a_runtime_with_several_threads() {
    for threads in [1, 2] {
        on_threads(threads, async {
            let broker = prepared();
            tokio::spawn(work(Arc::clone(&broker)));
            all_blocking_forms(&broker);
            // Also where they block the only worker, whose tasks have to go elsewhere.
            let broker = prepared();
            tokio::spawn(async move {
                tokio::spawn(work(Arc::clone(&broker)));
                all_blocking_forms(&broker);
            })
            .await
            .unwrap();
        });
    }
}

#[test]
fn blocking_forms_work_in_blocking_tasks_of_a_runtime_with_one_thread() {
    on_one_thread(async {
        let broker = prepared();
        tokio::spawn(work(Arc::clone(&broker)));
        tokio::task::spawn_blocking(move || all_blocking_forms(&broker)).await.unwrap();
    });
}

#[test]
fn blocking_forms_say_that_they_would_wait_for_ever() {
    on_one_thread(async {
        let broker = prepared();
        tokio::spawn(work(Arc::clone(&broker)));
        let panics = |instead: &str, form: &dyn Fn(&Broker)| {
            let text = format!(
                "blocks the only thread of this tokio runtime, which runs the \
                 program that it waits for. Write {instead}"
            );
            assert_panics(&text, || form(&broker));
        };
        panics("broker.wait_until_async(limit, condition).await", &|broker| {
            broker.wait_until(LIMIT, |_| true).unwrap();
        });
        panics("broker.eventually_async(condition, limit).await", &|broker| {
            broker.eventually(|_| true, LIMIT);
        });
        panics("broker.wait_until_idle_async(limit).await", &|broker| {
            broker.wait_until_idle(LIMIT).unwrap();
        });
        panics("broker.wait_for_queue_async(queue, condition).await", &|broker| {
            broker.wait_for_queue("jobs", |_| true).unwrap();
        });
        let channel = broker.connect().unwrap().open_channel().unwrap();
        let consumer = channel.basic_consume("done").unwrap();
        panics("consumer.next().await", &|_| drop(consumer.recv()));
        panics("consumer.next().await", &|_| drop(consumer.recv_timeout(LIMIT)));
        panics("consumer.next().await", &|_| {
            for _ in &consumer {}
        });
        assert!(consumer.try_recv().is_none(), "what does not wait may be asked");
        broker.faults().confirms().hold();
        panics("channel.publish(message).await", &|broker| {
            drop(broker.publish(Publish::to_queue("done")).wait());
        });
        panics("channel.publish(message).await", &|broker| {
            drop(broker.publish_all([Publish::to_queue("done")]));
        });
    });
}

#[test]
fn a_condition_that_never_holds_fails_where_it_is_awaited() {
    let broker = prepared();
    let short = Duration::from_millis(1);
    assert_panics("the condition did not hold within 1ms; what happened last:", || {
        on_one_thread(async { broker.eventually_async(|_| false, short).await });
    });
}

#[test]
fn tasks_act_between_two_deadlines() {
    on_one_thread(async {
        let broker = prepared();
        let program = Arc::clone(&broker);
        // What is given out every minute is worked on at that minute.
        tokio::spawn(async move {
            for n in 0..5 {
                program.sleep(MINUTE).await;
                drop(program.publish(Publish::to_queue("jobs").body(n.to_string())));
            }
        });
        tokio::spawn(work(Arc::clone(&broker)));
        broker.advance_async(3 * MINUTE).await;
        assert_eq!(broker.counts("done").unwrap().ready, 3);
        let start = broker.journal().events().first().unwrap().at;
        let acked = broker.journal().acked();
        let minutes = acked.iter().map(|e| (e.at.as_millis() - start.as_millis()) / 60_000);
        assert_eq!(minutes.collect::<Vec<_>>(), [1, 2, 3]);
        broker.advance_to_next_event_async().await.unwrap();
        assert_eq!(broker.counts("done").unwrap().ready, 4);
        broker.advance_async(60 * MINUTE).await;
        assert_eq!(broker.counts("done").unwrap().ready, 5);
        assert_eq!(broker.advance_to_next_event_async().await, None);
    });
}
