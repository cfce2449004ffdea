package seal

import (
	"errors"
	"fmt"
	"time"

	"elicense/gm"
)

// trust checks whose the certificates are and whether they and the seal were
// valid when they were used: at the time an authority confirmed, or else at the
// time the signer claims (GB/T 38540-2020 7.3, D1 8 to 10).
func (v *verifier) trust(s *Signature, val *value, name string) {
	v.timeStamp(s, val, name)
	when := s.Stamped
	if when.IsZero() {
		when = val.time
	}
	v.time(s, when, name)
	if when.IsZero() {
		when = v.o.Now
	}
	if sl := val.seal; sl != nil {
		s.Checks.either(cAuthorized, Integrity, sl.Authorizes(val.cert), name,
			say{"签章人在印章列明的用章人之中。", "The signer is one of those the seal names."},
			say{"签章人不在印章列明的用章人之中。", "The signer is not one of those the seal names."})
		s.Checks.either(cSealTerm, Trust, sl.ValidAt(when), name,
			say{"印章在签章时有效。", "The seal was in its term when it was used."},
			say{"签章时不在印章的有效期内。", "The seal was used outside its term."})
		makerStanding(&s.Checks, sl, name, v.o, s.Stamped)
	}
	tr := v.o.Trust
	tr.Intermediates = append(tr.Intermediates[:len(tr.Intermediates):len(tr.Intermediates)], val.certs...)
	st, err := tr.Check(val.cert, when, gm.UsageSign)
	chained := standing(&s.Checks, cSignerCertificate, cSignerRevocation, "签章人", "The signer's", st, err, !s.Stamped.IsZero(), name)
	v.now(s, val, &tr, chained, name)
}

// timeStamp checks the time stamp on the signature and takes its time if it is
// one to rely on. Without, the signer's word stands.
func (v *verifier) timeStamp(s *Signature, val *value, name string) {
	if val.stamp == nil {
		s.Checks.note(cTimeStamp, "", say{"没有时间戳，签章时间只是签章人自己写明的。", "There is no time stamp: the time of signing is only what the signer claims."})
		s.Checks.na(cTimeAuthority, say{"没有时间戳。", "There is no time stamp."})
		s.Checks.na(cTimeOrder, say{"没有时间戳。", "There is no time stamp."})
		return
	}
	token, err := checkStamp(&s.Checks, cTimeStamp, val.stamp, val.signature, name, v.o)
	if token == nil {
		return
	}
	s.TimeAuthority = token.Cert
	if err != nil {
		s.Checks.note(cTimeAuthority, name, say{
			"时间戳机构不可信，签章时间按签章人写明的判断：" + chainReason(err).zh,
			"The time authority is not trusted; the time the signer claims is gone by. " + chainReason(err).en})
	} else {
		s.Stamped = token.Time
		s.Checks.pass(cTimeAuthority, say{"时间戳机构可信。", "The time authority is trusted."})
	}
	if val.time.IsZero() {
		s.Checks.na(cTimeOrder, say{"签名没有写明时间。", "The signature claims no time."})
		return
	}
	// A token may have fractions of a second, a signature has none.
	s.Checks.either(cTimeOrder, Trust, !val.time.After(token.Time), name,
		say{"写明的签章时间不晚于时间戳。", "The time claimed is not later than the time stamp."},
		say{"写明的签章时间晚于时间戳，时间不可信。", "The time claimed is later than the time stamp."})
}

// checkStamp checks that a token is of the signature. The error tells why its
// authority is not trusted; there is no token if it is not a genuine one of this
// signature.
func checkStamp(l *Checks, check string, der, signature []byte, name string, o Options) (*gm.Token, error) {
	token, err := o.Cache.ParseToken(der)
	if err == nil {
		_, err = token.Verify(signature, &o.Trust)
	}
	switch {
	case errors.Is(err, gm.ErrStampFormat):
		l.fail(check, Integrity, name, say{"时间戳已损坏或不合规。", "The time stamp is damaged or not of the standard's form."})
	case errors.Is(err, gm.ErrStampImprint):
		l.fail(check, Integrity, name, say{"时间戳不是这个签名的，可能取自别的文件。", "The time stamp is of another signature; it may have been taken from another file."})
	case errors.Is(err, gm.ErrStampSignature):
		l.fail(check, Integrity, name, say{"时间戳的签名不成立。", "The signature of the time stamp does not hold."})
	default:
		l.pass(check, say{
			"时间戳是这个签名的，时间为 " + token.Time.In(beijing).Format("2006-01-02 15:04:05") + "。",
			"The time stamp is of this signature, at " + token.Time.UTC().Format(time.RFC3339) + "."})
		return token, err
	}
	return nil, err
}

// beijing is the time people of China read.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// time checks the time of signing against now.
func (v *verifier) time(s *Signature, when time.Time, name string) {
	if when.IsZero() {
		s.Checks.fail(cTime, Trust, name, say{"签名没有写明时间，无法判断证书当时是否有效。", "The signature states no time, so that it can't be told whether its certificate was valid."})
		return
	}
	s.Checks.either(cTime, Trust, v.o.Now.IsZero() || !when.After(v.o.Now.Add(clockSkew)), name,
		say{"签名时间不晚于现在。", "The time of signing is not later than now."},
		say{"签名时间晚于现在。", "The time of signing is later than now."})
}

// makerStanding checks the seal maker's certificate when the seal was made; proved
// is when the seal is known to have existed, zero if it is not.
func makerStanding(l *Checks, sl *Seal, name string, o Options, proved time.Time) {
	if sl.TimeStamp == nil {
		l.na(cSealTimeStamp, say{"印章上没有时间戳。", "The seal has no time stamp."})
	} else if token, err := checkStamp(l, cSealTimeStamp, sl.TimeStamp, sl.signature, name, o); token != nil {
		made := sl.Created.After(token.Time)
		switch {
		case made:
			*l = (*l)[:len(*l)-1]
			l.fail(cSealTimeStamp, Trust, name, say{"印章写明的制作时间晚于其时间戳。", "The seal claims to be made later than its time stamp."})
		case err == nil:
			proved = token.Time
		}
	}
	st, err := o.Trust.Check(sl.Maker, sl.Created, gm.UsageSign)
	early := !proved.IsZero() && (st.Revoked.Serial == nil || proved.Before(st.Revoked.Time))
	standing(l, cMakerCertificate, cMakerRevocation, "制章人", "The seal maker's", st, err, early, name)
}

// standing tells how a certificate stood. trusted says that the time asked about
// does not rest on the word of who had the key. It returns whether the chain is
// good.
func standing(l *Checks, certificate, revocation, whoZh, whoEn string, st gm.Standing, err error, trusted bool, name string) bool {
	revoked := errors.Is(err, gm.ErrRevoked)
	if err != nil && !revoked {
		reason := chainReason(err)
		l.fail(certificate, Trust, name, say{whoZh + "证书不可信：" + reason.zh, whoEn + " certificate is not trusted. " + reason.en})
		l.na(revocation, say{"证书不可信，没有检查吊销。", "The certificate is not trusted; revocation was not looked at."})
		return false
	}
	l.pass(certificate, say{whoZh + "证书可信。", whoEn + " certificate is trusted."})
	day := func() (zh, en string) {
		return st.Revoked.Time.In(beijing).Format("2006-01-02 15:04:05"), st.Revoked.Time.UTC().Format(time.RFC3339)
	}
	switch zh, en := day(); {
	case revoked:
		l.fail(revocation, Trust, name, say{
			fmt.Sprintf("%s证书当时已被吊销（%s）。", whoZh, zh), fmt.Sprintf("%s certificate had been revoked by then (%s).", whoEn, en)})
	case st.Revocation == gm.RevokedLater && st.Revoked.Reason.Compromised() && !trusted:
		// Who found the key can claim any time.
		l.fail(revocation, Trust, name, say{
			fmt.Sprintf("%s证书因密钥泄露被吊销（%s），而没有时间戳证明签章在此之前。", whoZh, zh),
			fmt.Sprintf("%s key was compromised (%s), and no time stamp proves that it signed before.", whoEn, en)})
	case st.Revocation == gm.RevokedLater:
		l.note(revocation, name, say{
			fmt.Sprintf("%s证书后来被吊销（%s），签章时有效。", whoZh, zh), fmt.Sprintf("%s certificate was revoked later (%s); it was valid then.", whoEn, en)})
	case st.Revocation == gm.NotRevoked:
		l.pass(revocation, say{whoZh + "证书当时没有被吊销。", whoEn + " certificate had not been revoked."})
	default:
		l.na(revocation, say{"没有可用的吊销列表，没有检查吊销。", "There is no revocation list to look in."})
	}
	return true
}

// now judges what was good at signing as of now. It never fails: a document
// outlives its certificates.
func (v *verifier) now(s *Signature, val *value, tr *gm.Trust, chained bool, name string) {
	if v.o.Now.IsZero() || !chained {
		why := say{"没有给出现在的时间。", "The time now was not given."}
		if !chained {
			why = say{"签章时的证书就不可信。", "The certificate was not trusted at signing already."}
		}
		s.Checks.na(cSignerNow, why)
		if val.seal != nil {
			s.Checks.na(cSealNow, why)
		}
		return
	}
	st, err := tr.Check(val.cert, v.o.Now, gm.UsageSign)
	switch {
	case errors.Is(err, gm.ErrRevoked):
		s.Checks.later(cSignerNow, name, say{
			"签章人证书现在已被吊销（" + st.Revoked.Time.In(beijing).Format("2006-01-02") + "）。",
			"The signer's certificate is revoked now (" + st.Revoked.Time.UTC().Format(time.DateOnly) + ")."})
	case errors.Is(err, gm.ErrExpired):
		s.Checks.later(cSignerNow, name, say{"签章人证书现在已过期，签章时有效。", "The signer's certificate, or one above it, has expired since; it was valid at signing."})
	case err != nil:
		s.Checks.later(cSignerNow, name, say{"签章人证书现在不可信：" + chainReason(err).zh, "The signer's certificate is not trusted now. " + chainReason(err).en})
	case st.Revocation == gm.RevocationUnknown:
		s.Checks.pass(cSignerNow, say{"签章人证书现在仍在有效期内，没有检查吊销。", "The signer's certificate has not expired now; revocation was not looked at."})
	default:
		s.Checks.pass(cSignerNow, say{"签章人证书现在仍有效，没有被吊销。", "The signer's certificate is still valid now and not revoked."})
	}
	if sl := val.seal; sl != nil {
		if sl.ValidAt(v.o.Now) {
			s.Checks.pass(cSealNow, say{"印章现在仍在有效期内。", "The seal is still in its term now."})
		} else {
			s.Checks.later(cSealNow, name, say{"印章现在不在有效期内。", "The seal is not in its term now."})
		}
	}
}

func chainReason(err error) say {
	for _, r := range []struct {
		err error
		say say
	}{
		{gm.ErrMalformed, say{"证书格式不规范。", "A certificate is not well-formed."}},
		{gm.ErrUnknownRoot, say{"证书链不通向受信任的根证书。", "Its chain leads to no trusted root."}},
		{gm.ErrNotYetValid, say{"当时证书尚未生效。", "A certificate was not valid yet."}},
		{gm.ErrExpired, say{"当时证书已过期。", "A certificate had expired."}},
		{gm.ErrPathLength, say{"证书链超过了上级机构允许的长度。", "Its chain is longer than an authority allows."}},
		{gm.ErrUsage, say{"证书的密钥用途不允许。", "A certificate's key usage does not allow it."}},
		{gm.ErrRevoked, say{"证书已被吊销。", "A certificate had been revoked."}},
	} {
		if errors.Is(err, r.err) {
			return r.say
		}
	}
	return say{"证书链无效。", "Its chain is not valid."}
}

// Inspect tells whether a seal, which may have been made elsewhere, can be taken
// into use at o.Now: that its maker signed it and is trusted, that it is of a
// version still used and in its term, names valid certificates of those who may
// use it, and has a picture that can be drawn. Signers a seal lists only by
// digest have to be looked at when their certificate comes.
func Inspect(s *Seal, o Options) Checks {
	var l Checks
	l.either(cVersion, Trust, s.Version == 4 || s.Version == 5, "",
		say{fmt.Sprintf("印章为第 %d 版。", s.Version), fmt.Sprintf("The seal is of version %d.", s.Version)},
		say{"印章的版本已不再使用。", "The seal is of a version that is no longer used."})
	checkExtensions(&l, s.Extensions, "")
	checkMaker(&l, s, "", o.Cache)
	makerStanding(&l, s, "", o, time.Time{})
	l.either(cSealTerm, Trust, s.ValidAt(o.Now), "",
		say{"印章在有效期内。", "The seal is in its term."}, say{"现在不在印章的有效期内。", "The seal is not in its term."})
	inspectSigners(&l, s, o)
	_, err := s.Sheet()
	l.either("picture", Trust, err == nil, "", say{"印章图形可以绘制。", "The seal's picture can be drawn."}, say{"印章图形无法绘制。", "The seal's picture can't be drawn."})
	return l
}

// inspectSigners asks for at least one who can use the seal now.
func inspectSigners(l *Checks, s *Seal, o Options) {
	const name = "signers"
	err := gm.ErrMalformed
	for _, der := range s.Certificates {
		c, bad := o.Cache.Certificate(der)
		if bad == nil {
			_, bad = o.Trust.Check(c, o.Now, gm.UsageSign)
		}
		if err = bad; err == nil {
			break
		}
	}
	switch {
	case len(s.Digests) > 0:
		l.na(name, say{"印章只列出用章人证书的摘要，登记时需另交证书。", "The seal lists digests of certificates only; the certificate has to be given with it."})
	case len(s.Certificates) == 0:
		l.fail(name, Trust, "", say{"印章没有列出用章人。", "The seal names nobody who may use it."})
	default:
		l.either(name, Trust, err == nil, "",
			say{"印章列出的用章人证书有效。", "A certificate the seal names is valid."},
			say{"印章列出的用章人证书都无效：" + chainReason(err).zh, "No certificate the seal names is valid. " + chainReason(err).en})
	}
}
