package web

import "testing"

func TestDatesAndNumbersStayWhole(t *testing.T) {
	for _, c := range [][2]string{
		{`<td>2026-11-30 10:00</td>`, `<td><span class="date">2026-11-30</span> 10:00</td>`},
		{`办结于2026-11-02至2026-12-01`, `办结于<span class="date">2026-11-02</span>至<span class="date">2026-12-01</span>`},
		{`<td>J350102-2011-000042</td>`, `<td><span class="number">J350102-2011-000042</span></td>`},
		{`an e-license, in-review`, `an e-license, in-review`},
		{`<a href="/x?from=2026-11-30">2026</a>`, `<a href="/x?from=2026-11-30">2026</a>`},
		{`<textarea name="a">2026-11-30</textarea>2026-11-30`, `<textarea name="a">2026-11-30</textarea><span class="date">2026-11-30</span>`},
		{`<select><option>2026-11-30</option></select>`, `<select><option>2026-11-30</option></select>`},
		{`<svg viewBox="0 0 1 1"><text>2026-11-30</text></svg>`, `<svg viewBox="0 0 1 1"><text>2026-11-30</text></svg>`},
		{`<title>2026-11-30</title>`, `<title>2026-11-30</title>`},
		{`&#39;2026-11-30&#39; <`, `&#39;<span class="date">2026-11-30</span>&#39; <`},
		{``, ``},
	} {
		if got := string(whole([]byte(c[0]))); got != c[1] {
			t.Errorf("%s: %s", c[0], got)
		}
	}
}
