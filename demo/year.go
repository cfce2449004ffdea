package demo

import (
	"context"
	"fmt"
	"strings"

	"elicense/calendar"
)

// announce enters a made-up notice for each of the years that has none, as the
// administration would enter the State Council's: a demo started in a year the
// program knows no notice of would otherwise have no term at all. Its number says
// that it is invented; the holidays are those with a day of their own, as the
// moon's are not to be guessed. Terms that run into the year after stay unknown.
func announce(ctx context.Context, p Platform, from, to int) error {
	days, err := p.Calendar.Now(ctx)
	if err != nil {
		return err
	}
	admin, err := p.Org.ActorByLogin(ctx, "admin", "demo")
	if err != nil {
		return err
	}
	for year := from; year <= to; year++ {
		if days.Knows(year) {
			continue
		}
		notice := calendar.Text{
			Year: fmt.Sprint(year), Doc: fmt.Sprintf("示例〔%d〕1号（演示编写，不是国务院办公厅的通知）", year),
			Holidays: strings.ReplaceAll("元旦 Y-01-01\n劳动节 Y-05-01 Y-05-05\n国庆节 Y-10-01 Y-10-07", "Y", fmt.Sprint(year)),
		}
		if err := p.Calendar.Announce(ctx, admin, notice); err != nil {
			return fmt.Errorf("notice of %d: %w", year, err)
		}
	}
	return nil
}
