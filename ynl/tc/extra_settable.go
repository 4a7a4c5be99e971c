package tc

import "math"

// settable says of a flower filter for VLANs what is in the header of the packets: the
// kernel reports the type of what is in the VLAN, and that in KeyVLANEthType as well.
func (o *Object) settable() {
	const vlan, serviceVLAN = 0x8100, 0x88a8 // ETH_P_8021Q, ETH_P_8021AD
	f, ok := o.Options.(*Flower)
	if p := o.Protocol(); ok && (p == vlan || p == serviceVLAN) {
		f.KeyEthType.Value, f.KeyEthType.Set = p, true
	}
}

// settable adds the tables that the kernel wants and does not report.
func (p *Police) settable() {
	spec := &p.Tbf.Value
	if spec.Rate.Rate != 0 && p.Rate == nil {
		p.Rate = RateTable(&spec.Rate, spec.MTU)
	}
	if spec.Peakrate.Rate != 0 && p.Peakrate == nil {
		p.Peakrate = RateTable(&spec.Peakrate, spec.MTU)
	}
}

// settable changes the version that the kernel reports, major and minor, into the one that
// it takes, major alone.
func (h *Htb) settable() {
	if version := &h.Init.Value.Version; *version > math.MaxUint16 {
		*version >>= 16
	}
}

// settable leaves one of the two places of the flags, which the kernel reports both.
func (r *Red) settable() {
	if r.Flags.Set {
		r.Parms.Value.Flags = 0
	}
}
