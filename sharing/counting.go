package sharing

import (
	"cmp"
	"slices"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/store"
)

// counting counts for Figures.
type counting struct {
	tx       *store.Tx
	unit     elicense.UnitCode // empty counts all
	from, to time.Time
	by       map[elicense.UnitCode]*UnitFigures
}

func (c *counting) of(u elicense.UnitCode) *UnitFigures {
	f := c.by[u]
	if f == nil {
		f = &UnitFigures{Unit: u, Reasons: map[cases.PaperReason]int{}}
		c.by[u] = f
	}
	return f
}

func (c *counting) each(q string, scan func(*store.Rows) error, args ...any) error {
	rows, err := c.tx.Query(q, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return nil
}

func (c *counting) cases() error {
	return c.each(`SELECT unit, channel, COUNT(*) FROM office_case WHERE opened >= $1 AND opened < $2 AND stage <> 'filling' AND ($3 = '' OR unit = $4) GROUP BY unit, channel`,
		func(r *store.Rows) error {
			var u elicense.UnitCode
			var by cases.Channel
			var n int
			if err := r.Scan(&u, &by, &n); err != nil {
				return err
			}
			f := c.of(u)
			f.Cases += n
			if by == cases.OnTheWeb {
				f.Online += n
			}
			return nil
		}, c.from, c.to, c.unit, c.unit)
}

func (c *counting) materials() error {
	return c.each(`SELECT unit, way, reason, COUNT(*) FROM case_material WHERE happened >= $1 AND happened < $2 AND could AND ($3 = '' OR unit = $4) GROUP BY unit, way, reason`,
		func(r *store.Rows) error {
			var u elicense.UnitCode
			var way cases.GivenWay
			var why cases.PaperReason
			var n int
			if err := r.Scan(&u, &way, &why, &n); err != nil {
				return err
			}
			f := c.of(u)
			f.Could += n
			switch way {
			case cases.ByLicense:
				f.Met += n
			case cases.ByPaper:
				f.Paper += n
				f.Reasons[why] += n
			}
			return nil
		}, c.from, c.to, c.unit, c.unit)
}

func (c *counting) looks() error {
	return c.each(`SELECT k.unit, COUNT(*) FROM case_look l JOIN office_case k ON k.id = l.case_id WHERE l.first >= $1 AND l.first < $2 AND ($3 = '' OR k.unit = $4) GROUP BY k.unit`,
		func(r *store.Rows) error {
			var u elicense.UnitCode
			var n int
			if err := r.Scan(&u, &n); err != nil {
				return err
			}
			c.of(u).Looks += n
			return nil
		}, c.from, c.to, c.unit, c.unit)
}

func (c *counting) tickets() error {
	return c.each(`SELECT unit, COUNT(*) FROM quality_ticket WHERE opened >= $1 AND opened < $2 AND ($3 = '' OR unit = $4) GROUP BY unit`,
		func(r *store.Rows) error {
			var u elicense.UnitCode
			var n int
			if err := r.Scan(&u, &n); err != nil {
				return err
			}
			c.of(u).Tickets += n
			return nil
		}, c.from, c.to, c.unit, c.unit)
}

func (c *counting) refusals(from, to elicense.Date) ([]RefusalLine, error) {
	list, err := store.All(c.tx, func(r *store.Rows) (l RefusalLine, err error) {
		err = r.Scan(&l.Unit, &l.Rule, &l.N)
		return l, err
	}, `SELECT unit, rule, CAST(SUM(n) AS BIGINT) FROM refusal_count WHERE day >= $1 AND day <= $2 AND unit <> '' AND ($3 = '' OR unit = $4)
		GROUP BY unit, rule ORDER BY 3 DESC, unit, rule`, from, to, c.unit, c.unit)
	for _, l := range list {
		c.of(l.Unit).Refused += l.N
	}
	return list, err
}

func (c *counting) paper() ([]PaperLine, error) {
	return store.All(c.tx, func(r *store.Rows) (l PaperLine, err error) {
		err = r.Scan(&l.Unit, &l.Matter, &l.Clerk, &l.Reason, &l.N)
		return l, err
	}, `SELECT m.unit, m.matter, COALESCE(a.name, ''), m.reason, COUNT(*) FROM case_material m LEFT JOIN account a ON a.id = m.account
		WHERE m.happened >= $1 AND m.happened < $2 AND m.way = 'paper' AND ($3 = '' OR m.unit = $4)
		GROUP BY m.unit, m.matter, a.name, m.reason ORDER BY 5 DESC, 1, 2, 3, 4`, c.from, c.to, c.unit, c.unit)
}

// sum orders the units and adds them up.
func (c *counting) sum(name func(elicense.UnitCode) string) (list []UnitFigures, all UnitFigures) {
	all.Reasons = map[cases.PaperReason]int{}
	for _, f := range c.by {
		f.Name = name(f.Unit)
		list = append(list, *f)
		all.Cases += f.Cases
		all.Online += f.Online
		all.Could += f.Could
		all.Met += f.Met
		all.Paper += f.Paper
		all.Looks += f.Looks
		all.Refused += f.Refused
		all.Tickets += f.Tickets
		for r, n := range f.Reasons {
			all.Reasons[r] += n
		}
	}
	slices.SortFunc(list, func(a, b UnitFigures) int {
		return cmp.Or(cmp.Compare(b.Cases, a.Cases), cmp.Compare(b.Refused, a.Refused), cmp.Compare(a.Unit, b.Unit))
	})
	return list, all
}
