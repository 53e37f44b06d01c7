# SPDX-License-Identifier: Apache-2.0
#
# RR::Bench::Chart: the bars of docs/performance.svg, readable on light and dark pages.
#
# A panel a group, each with an axis of its own: what the work adds to a request, in microseconds of CPU, ours first.

package RR::Bench::Chart;

use strict;
use warnings;

use POSIX ();

my @panels = qw(key key-refused jwt-rs256-seen jwt-rs256-unseen jwt-es256-unseen jwt-eddsa-unseen proxied rules);
my ($width, $labels, $right, $bar) = (860, 390, 80, 18);

sub escape { my ($text) = @_; $text =~ s/&/&amp;/g; $text =~ s/</&lt;/g; $text =~ s/>/&gt;/g; return $text }

# The least round step that needs no more than five of it.
sub step
{
    my ($max) = @_;
    my $step = 10 ** int(log($max || 1) / log(10) - 1);
    for my $factor (2, 2.5, 2) {
        return $step if $max / $step <= 5;
        $step *= $factor;
    }
    $step *= 2 while $max / $step > 5;
    return $step;
}

sub text
{
    my ($x, $y, $class, $text, $anchor) = @_;
    return sprintf("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\"%s>%s</text>\n", $x, $y, $class, $anchor ? " text-anchor=\"$anchor\"" : '', escape($text));
}

sub panel
{
    my ($title, $rows, $y) = @_;
    my ($max) = sort { $b <=> $a } map { $_->{value} } @$rows;
    my $step = step($max);
    my $top = $step * POSIX::ceil($max / $step || 1);
    my $room = $width - $labels - $right;
    my $x = sub { return $labels + $room * $_[0] / $top };
    my $svg = text(0, $y, 'title', $title);
    my $begin = $y + 12;
    my $end = $begin + @$rows * ($bar + 6) + 2;

    for (my $at = 0; $at <= $top + $step / 2; $at += $step) {
        $svg .= sprintf("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", $x->($at), $x->($at), $begin, $end, $at ? 'grid' : 'axis');
        $svg .= text($x->($at), $end + 14, 'tick', sprintf('%g', $at) . ($at + $step > $top + $step / 2 ? ' us' : ''), 'middle');
    }
    my $line = $begin + 5;
    for my $row (@$rows) {
        my $value = $row->{value} > 0 ? $row->{value} : 0;
        $svg .= text($labels - 8, $line + 13, 'label', $row->{title}, 'end');
        $svg .= sprintf("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\" class=\"%s\"/>\n",
                        $labels, $line, $x->($value) - $labels || 1, $bar, $row->{kind});
        $svg .= sprintf("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"spread\"/>\n",
                        (map { $x->($_ > $top ? $top : $_ > 0 ? $_ : 0) } @$row{qw(low high)}), ($line + $bar / 2) x 2);
        $svg .= text($x->($value > $row->{high} ? $value : $row->{high} > $top ? $top : $row->{high} > 0 ? $row->{high} : 0) + 6, $line + 13, 'value',
                     sprintf($row->{value} < 10 ? '%.1f' : '%.0f', $row->{value}));
        $line += $bar + 6;
    }
    return ($svg, $end + 44);
}

sub svg
{
    my ($report) = @_;
    my %groups = map { $_->{name} => $_ } @{ $report->{groups} };
    my $result = $report->{result};
    my ($body, $y) = ('', 62);

    for my $group (grep { $_ } map { $groups{$_} } @panels) {
        my @rows = map { my $case = $result->{cases}{"$group->{name}/$_->{name}"};
                         $case && $case->{busy_added} ? { title => $case->{title}, kind => $case->{kind}, %{ $case->{busy_added} } } : () } @{ $group->{chosen} };
        next unless @rows;
        my ($svg, $next) = panel($group->{title}, [sort { ($b->{kind} eq 'ours') <=> ($a->{kind} eq 'ours') } @rows], $y);
        $body .= $svg;
        $y = $next;
    }
    my $machine = $result->{machine};
    my $caption = "$machine->{cpu}; httpd $machine->{httpd}, OpenSSL $machine->{openssl}; $result->{date}";
    return <<"SVG" . $body . "</svg>\n";
<svg xmlns="http://www.w3.org/2000/svg" width="${\ ($width + 32)}" height="$y" viewBox="-16 0 ${\ ($width + 32)} $y" role="img" aria-label="CPU that the work adds to a request">
<style>
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #24292f }
.head { font-size: 17px; font-weight: 600 } .title { font-size: 13px; font-weight: 600 } .tick, .small { font-size: 11px; fill: #57606a }
.page { fill: #ffffff } .ours { fill: #0a69da } .peer { fill: #8c959f } .grid { stroke: #d0d7de } .axis { stroke: #57606a } .spread { stroke: #24292f; stroke-width: 1.5 }
\@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .tick, .small { fill: #9198a1 } .page { fill: #0d1117 } .ours { fill: #4493f8 } .peer { fill: #656c76 } .grid { stroke: #30363d } .axis { stroke: #9198a1 }
.spread { stroke: #e6edf3 }
}
</style>
<rect x="-16" y="0" width="100%" height="100%" class="page"/>
${\ text(0, 24, 'head', 'CPU that the work adds to a request: mod_rr and others')}${\ text(0, 41, 'small', "microseconds over the same server without it, same rounds, kept busy; lines: spread; $caption")}
SVG
}

1;
