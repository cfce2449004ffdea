package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"elicense/store"
)

// metrics is what an operator watches: whether records keep up, whether commits
// are slow, what is refused, what waits, what runs out.
type metrics struct {
	p *platform

	queue, commits, records, perCommit, logSize, logLag, waiting, sealDays, wait, signIns, fsckTime, fsckFindings, ready, refusals, commitTime, decisions, deciding *prometheus.Desc
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("elicense_"+name, help, labels, nil)
}

func newMetrics(p *platform) *metrics {
	return &metrics{
		p:            p,
		queue:        desc("writer_queue", "Requests waiting for the database writer."),
		commits:      desc("commits_total", "Transactions committed."),
		records:      desc("records_total", "Records of acts stored (Art. 17)."),
		perCommit:    desc("records_per_commit", "Records that shared one commit, on average since the start."),
		logSize:      desc("log_size", "Records in the log."),
		logLag:       desc("log_unsigned", "Records in the log that no signed checkpoint covers yet."),
		waiting:      desc("drafts_sealing", "Approved drafts waiting to be sealed and published."),
		sealDays:     desc("seal_days_left", "Days until the first enabled seal runs out."),
		wait:         desc("record_wait_seconds", "Time answers waited for their record to be durable."),
		signIns:      desc("sign_ins_refused_total", "Sign-ins refused (Art. 17(3))."),
		fsckTime:     desc("last_fsck_timestamp_seconds", "When everything stored was last checked; absent if never."),
		fsckFindings: desc("last_fsck_findings", "What that check found."),
		ready:        desc("trusted", "1 while the state of the store can be trusted."),
		refusals:     desc("refusals_total", "Requests refused, by rule of the law text.", "rule"),
		decisions:    desc("decisions_total", "Decisions of the law text."),
		deciding:     desc("decision_seconds_total", "Time they took."),
		commitTime:   desc("commit_seconds", "Time of commits, from begin to durable."),
	}
}

// Describe sends the descriptions.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

const collectTimeout = 5 * time.Second

// Collect reads the figures now; one that can't be read is left out.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := m.p.db.Stats()
	gauge(m.queue, float64(s.Queue))
	count(m.commits, s.Commits)
	count(m.records, s.Records)
	gauge(m.perCommit, s.RecordsPerCommit())
	gauge(m.logSize, float64(s.LogSize))
	gauge(m.logLag, float64(s.LogSize-min(s.Signed, s.LogSize)))
	trusted := 1.0
	if m.p.db.Fatal() != nil {
		trusted = 0
	}
	gauge(m.ready, trusted)
	ch <- histogram(m.commitTime, s.CommitTime)
	ch <- histogram(m.wait, s.RecordWait)
	for rule, n := range m.p.guard.Refusals() {
		count(m.refusals, n, rule)
	}
	decisions, took := m.p.guard.Decided()
	count(m.decisions, uint64(decisions))
	ch <- prometheus.MustNewConstMetric(m.deciding, prometheus.CounterValue, took.Seconds())
	count(m.signIns, m.p.org.Refused())
	if last, err := readLastFsck(m.p.dir); err == nil {
		gauge(m.fsckTime, float64(last.At.Unix()))
		gauge(m.fsckFindings, float64(last.Findings))
	}
	if n, err := m.p.issuer.Waiting(ctx); err == nil {
		gauge(m.waiting, float64(n))
	}
	if end, err := m.p.seals.SoonestEnd(ctx); err == nil && !end.IsZero() {
		gauge(m.sealDays, end.Sub(m.p.clock.Now()).Hours()/24)
	}
}

func histogram(d *prometheus.Desc, t store.Times) prometheus.Metric {
	buckets, sum := map[float64]uint64{}, uint64(0)
	for i, bound := range t.Bounds {
		sum += t.Counts[i]
		buckets[bound] = sum
	}
	return prometheus.MustNewConstHistogram(d, t.Count(), t.Sum.Seconds(), buckets)
}

func metricsHandler(p *platform) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(newMetrics(p))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
