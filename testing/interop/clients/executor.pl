# strongSwan's Perl module, loaded from its source: perl -I LIB executor.pl SOCKET. It has no way to listen for events. See README.md.

use strict;
use warnings;
use IO::Socket::UNIX;
use JSON::PP;
use Vici::Packet;
use Vici::Session;

my $json = JSON::PP->new->canonical->ascii;
my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $ARGV[0]) or die "connecting: $!\n";
my $session = Vici::Session->new($socket);
# What answers with the message itself, not with success and reason.
my %tells = map { $_ => 1 } qw(version stats get-conns get-authorities get-keys get-shared get-pools get-algorithms get-counters);
$| = 1;

while (my $line = <STDIN>) {
    print $json->encode(execute($json->decode($line))), "\n";
}

sub execute {
    my $order = shift;
    my $command = $order->{command};
    (my $name = $command) =~ tr/-/_/;
    my $message = $order->{message};
    my $method = $session->can($name) or return by_name($order, $message);
    my @arguments = $message && %$message ? (Vici::Message->new($message)) : ();
    if ($command =~ /^list-/) {
        my $events = $session->$method(@arguments);
        return { reply => undef, events => [map { $_->hash() } @$events] };
    }
    if ($tells{$command}) {
        my $reply = $session->$method(@arguments)->hash();
        return { refused => $reply->{errmsg} } if ($reply->{success} // 'yes') ne 'yes';
        return { reply => $reply, events => [] };
    }
    my ($success, $reason) = $session->$method(@arguments);
    # Some tell the answer, not what came of it.
    ($success, $reason) = $success->result() if ref $success;
    return $success ? { reply => {}, events => [] } : { refused => $reason };
}

# What the module has no method for.
sub by_name {
    my ($order, $message) = @_;
    my $packet = Vici::Packet->new($socket);
    my $vars = $message && %$message ? Vici::Message->new($message) : undef;
    if ($order->{stream}) {
        my $events = $packet->streamed_request($order->{command}, $order->{stream}, $vars);
        return { reply => undef, events => [map { $_->hash() } @$events] };
    }
    my $reply = $packet->request($order->{command}, $vars)->hash();
    return { refused => $reply->{errmsg} } if ($reply->{success} // 'yes') ne 'yes';
    return { reply => $reply, events => [] };
}
