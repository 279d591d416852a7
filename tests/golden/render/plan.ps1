#Requires -Version 5.1
#Requires -Modules DnsServer
# Plan: 7 zones: 2 to add, 7 to change, 3 to remove, 23 held, 26 foreign, 1 in error
# Made by srvkeeper at 2026-11-22T23:40:00Z.
#
# Each zone is changed only while its records are what the plan saw, and read back afterwards.
# Unlike an RFC 2136 update, the look and the changes are separate steps here: let nobody else
# write these records meanwhile. The script ends with 1 when a zone could not be changed as
# planned; the other zones go on.

[CmdletBinding()]
param(
    # The DNS server for all zones. Without it, for each zone the server that the plan read.
    [string] $ComputerName
)

Set-StrictMode -Version 2.0
# The functions of a module do not see this: every DnsServer cmdlet is told again.
$ErrorActionPreference = 'Stop'
$script:Failed = $false

# The SRV records at one name; none when the name does not exist.
function Get-Srv ([hashtable] $Place) {
    try {
        Get-DnsServerResourceRecord @Place -RRType Srv -Node -ErrorAction Stop
    } catch {
        # 9701: no such record. 9714: no such name. Everything else must stop the zone.
        if ($_.FullyQualifiedErrorId -notmatch '\b(9701|9714)\b') { throw }
    }
}

# '0 0 1688 kms1.corp.example.'; lower case, because DNS ignores case.
function Format-Srv ($Record) {
    $data = $Record.RecordData
    $text = '{0} {1} {2} {3}' -f $data.Priority, $data.Weight, $data.Port, $data.DomainName
    $text.ToLowerInvariant()
}

# Equality to the octet: -eq would ignore characters that are invisible.
function Test-Same ([string] $Left, [string] $Right) {
    [string]::Equals($Left, $Right, [StringComparison]::Ordinal)
}

function Assert-Srv ([hashtable] $Place, [string[]] $Expected, [string] $Otherwise) {
    $found = @(Get-Srv $Place | ForEach-Object { Format-Srv $_ } | Sort-Object)
    $wanted = @($Expected | ForEach-Object { $_.ToLowerInvariant() } | Sort-Object)
    $foundText = $found -join ', '
    $wantedText = $wanted -join ', '
    if ($found.Count -ne $wanted.Count -or -not (Test-Same $foundText $wantedText)) {
        throw ('{0}. Expected: {1}. Found: {2}.' -f $Otherwise, $wantedText, $foundText)
    }
}

# Removes one record, found by all four fields and passed as an object. -RRType, -Name and
# -RecordData would do it in one line, but how an SRV record is written there is documented only
# by an example, which says that it removes all SRV records of the name.
function Remove-Srv ([hashtable] $Place, [string] $Record) {
    $wanted = $Record.ToLowerInvariant()
    $found = @(Get-Srv $Place | Where-Object { Test-Same (Format-Srv $_) $wanted })
    if ($found.Count -ne 1) {
        throw ('{0} records are "{1}"; there must be one.' -f $found.Count, $Record)
    }
    Remove-DnsServerResourceRecord -ComputerName $Place.ComputerName -ZoneName $Place.ZoneName -InputObject $found[0] -Force -ErrorAction Stop
}

function Update-Srv ([string] $Server, [string] $Zone, [string] $Name, [string[]] $Before, [scriptblock] $Steps, [string[]] $After) {
    if ($ComputerName) { $Server = $ComputerName }
    $place = @{ ComputerName = $Server; ZoneName = $Zone; Name = $Name }
    try {
        Assert-Srv $place $Before 'Nothing was changed: the records are no longer what the plan saw'
        & $Steps $place
        Assert-Srv $place $After 'The records are not what the plan wanted'
        Write-Output ('{0}: done on {1}' -f $Zone, $Server)
    } catch {
        $script:Failed = $true
        Write-Warning ('{0} on {1}: {2}' -f $Zone, $Server, $_)
    }
}

# corp.example.: 10 changes, 1 held ([2001:db8::53]:5353, serial 2026112201)
# - DELETE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms1.corp.example. ttl=600
#     host-down: down since 2026-11-22T20:00:00Z; connection refused by 10.0.1.1:1688
# - DELETE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms2.corp.example. ttl=600
#     host-down: it said ?[31m<img src=x onerror=alert(1)>?[0m |`x`| 'y' "z" ; $(reboot) '; Stop-Computer #? &amp; ``` # end
# ~ MODIFY _vlmcs._tcp.corp.example. SRV (0 0 1689 kms3.corp.example. ttl=600) -> (0 0 1688 kms3.corp.example. ttl=3600)
#     data-drift: port is 1689, 1688 is configured
# + CREATE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms4.corp.example. ttl=3600
#     host-up: up and not published; 2 of 2 probes
# ~ MODIFY _vlmcs._tcp.corp.example. SRV (0 0 1688 kms5.corp.example. ttl=600) -> (0 0 1688 kms5.corp.example. ttl=3600)
# ~ MODIFY _vlmcs._tcp.corp.example. SRV (0 0 1688 kms6.corp.example. ttl=600) -> (0 0 1688 kms6.corp.example. ttl=3600)
# ~ MODIFY _vlmcs._tcp.corp.example. SRV (0 0 1688 <script>alert\(1\)</script>.evil.example. ttl=600) -> (0 0 1688 <script>alert\(1\)</script>.evil.example. ttl=3600)
# ~ MODIFY _vlmcs._tcp.corp.example. SRV (0 0 1688 `a`|b|```|'\;\032Stop-Computer\;\032'.evil.example. ttl=600) -> (0 0 1688 `a`|b|```|'\;\032Stop-Computer\;\032'.evil.example. ttl=3600)
# ~ MODIFY _vlmcs._tcp.corp.example. SRV (0 0 1688 x\010\;\032update\032delete\009\"\$\(id\)\".evil.example. ttl=600) -> (0 0 1688 x\010\;\032update\032delete\009\"\$\(id\)\".evil.example. ttl=3600)
# ~ MODIFY _vlmcs._tcp.corp.example. SRV (0 0 1688 \226\128\153\255\@\;\(\)\\\.#{}.evil.example. ttl=600) -> (0 0 1688 \226\128\153\255\@\;\(\)\\\.#{}.evil.example. ttl=3600)
#     ttl-drift: the TTL is 600 s; 3600 s is configured
# ! HELD - DELETE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms5.corp.example. ttl=600
#     host-down: down since 2026-11-22T20:00:00Z; connection refused by 10.0.1.1:1688
#     max-removals: max_removals = 2 hosts per zone and interval is used up; way out: wait for the next interval, or `srvkeeper apply --allow-removals N`
# ? FOREIGN _vlmcs._tcp.corp.example. SRV 0 0 1688 <script>alert\(1\)</script>.evil.example.
#     no inventory host is called <script>alert\(1\)</script>.evil.example.
# ? FOREIGN _vlmcs._tcp.corp.example. SRV 0 0 1688 `a`|b|```|'\;\032Stop-Computer\;\032'.evil.example.
#     no inventory host is called `a`|b|```|'\;\032Stop-Computer\;\032'.evil.example.
# ? FOREIGN _vlmcs._tcp.corp.example. SRV 0 0 1688 x\010\;\032update\032delete\009\"\$\(id\)\".evil.example.
#     no inventory host is called x\010\;\032update\032delete\009\"\$\(id\)\".evil.example.
# ? FOREIGN _vlmcs._tcp.corp.example. SRV 0 0 1688 \226\128\153\255\@\;\(\)\\\.#{}.evil.example.
#     no inventory host is called \226\128\153\255\@\;\(\)\\\.#{}.evil.example.
Update-Srv -Server '2001:db8::53' -Zone 'corp.example' -Name '_vlmcs._tcp' -Before @(
    '0 0 1688 kms1.corp.example.'
    '0 0 1688 kms2.corp.example.'
    '0 0 1689 kms3.corp.example.'
    '0 0 1688 kms5.corp.example.'
    '0 0 1688 kms6.corp.example.'
    '0 0 1688 <script>alert\(1\)</script>.evil.example.'
    '0 0 1688 `a`|b|```|''\;\032Stop-Computer\;\032''.evil.example.'
    '0 0 1688 x\010\;\032update\032delete\009\"\$\(id\)\".evil.example.'
    '0 0 1688 \226\128\153\255\@\;\(\)\\\.#{}.evil.example.'
) -Steps {
    param([hashtable] $Place)
    Add-DnsServerResourceRecord @Place -Srv -DomainName 'kms4.corp.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Add-DnsServerResourceRecord @Place -Srv -DomainName 'kms3.corp.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Remove-Srv $Place '0 0 1689 kms3.corp.example.'
    Remove-Srv $Place '0 0 1688 kms5.corp.example.'
    Add-DnsServerResourceRecord @Place -Srv -DomainName 'kms5.corp.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Remove-Srv $Place '0 0 1688 kms6.corp.example.'
    Add-DnsServerResourceRecord @Place -Srv -DomainName 'kms6.corp.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Remove-Srv $Place '0 0 1688 <script>alert\(1\)</script>.evil.example.'
    Add-DnsServerResourceRecord @Place -Srv -DomainName '<script>alert\(1\)</script>.evil.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Remove-Srv $Place '0 0 1688 `a`|b|```|''\;\032Stop-Computer\;\032''.evil.example.'
    Add-DnsServerResourceRecord @Place -Srv -DomainName '`a`|b|```|''\;\032Stop-Computer\;\032''.evil.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Remove-Srv $Place '0 0 1688 x\010\;\032update\032delete\009\"\$\(id\)\".evil.example.'
    Add-DnsServerResourceRecord @Place -Srv -DomainName 'x\010\;\032update\032delete\009\"\$\(id\)\".evil.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Remove-Srv $Place '0 0 1688 \226\128\153\255\@\;\(\)\\\.#{}.evil.example.'
    Add-DnsServerResourceRecord @Place -Srv -DomainName '\226\128\153\255\@\;\(\)\\\.#{}.evil.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
    Remove-Srv $Place '0 0 1688 kms1.corp.example.'
    Remove-Srv $Place '0 0 1688 kms2.corp.example.'
} -After @(
    '0 0 1688 <script>alert\(1\)</script>.evil.example.'
    '0 0 1688 `a`|b|```|''\;\032Stop-Computer\;\032''.evil.example.'
    '0 0 1688 kms3.corp.example.'
    '0 0 1688 kms4.corp.example.'
    '0 0 1688 kms5.corp.example.'
    '0 0 1688 kms6.corp.example.'
    '0 0 1688 x\010\;\032update\032delete\009\"\$\(id\)\".evil.example.'
    '0 0 1688 \226\128\153\255\@\;\(\)\\\.#{}.evil.example.'
)

# crowded.example.: 22 held (10.0.0.53:53, serial 2026112201)
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie01.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie02.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie03.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie04.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie05.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie06.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie07.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie08.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie09.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie10.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie11.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie12.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie13.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie14.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie15.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie16.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie17.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie18.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie19.corp.example. ttl=600
# ! HELD - DELETE _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie20.corp.example. ttl=600
#     foreign-record: foreign = "remove"
#     policy: changes = "create-only" does not allow it
#     and 2 more held (see --format json)
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie01.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie02.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie03.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie04.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie05.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie06.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie07.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie08.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie09.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie10.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie11.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie12.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie13.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie14.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie15.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie16.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie17.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie18.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie19.corp.example.
# ? FOREIGN _vlmcs._tcp.crowded.example. SRV 0 0 1688 zombie20.corp.example.
#     no inventory host is called so
#     and 2 more foreign (see --format json)
# ! published hosts that are not down: 1, fewer than min_hosts = 2; way out: bring another host up, add a standby, or lower min_hosts

# a-department-with-a-rather-long-name.region.corp.example.: 1 change (10.0.0.54:53, serial 2026112201)
# + CREATE _vlmcs._tcp.a-department-with-a-rather-long-name.region.corp.example. SRV 0 0 1688 kms-host-number-1.a-department-with-a-rather-long-name.region.corp.example. ttl=3600
#     standby-needed: standby
Update-Srv -Server '10.0.0.54' -Zone '_TCP.a-department-with-a-rather-long-name.region.corp.example' -Name '_vlmcs' -Before @() -Steps {
    param([hashtable] $Place)
    Add-DnsServerResourceRecord @Place -Srv -DomainName 'kms-host-number-1.a-department-with-a-rather-long-name.region.corp.example.' -Priority 0 -Weight 0 -Port 1688 -TimeToLive ([TimeSpan]::FromSeconds(3600)) -ErrorAction Stop
} -After @(
    '0 0 1688 kms-host-number-1.a-department-with-a-rather-long-name.region.corp.example.'
)

# empty.example.: 1 change (10.0.0.53:53, serial 2026112201)
# - DELETE _vlmcs._tcp.empty.example. SRV 0 0 1688 kms9.corp.example. ttl=600
#     expect-empty: the zone is declared expect = "empty"
Update-Srv -Server '10.0.0.53' -Zone 'empty.example' -Name '_vlmcs._tcp' -Before @(
    '0 0 1688 kms9.corp.example.'
) -Steps {
    param([hashtable] $Place)
    Remove-Srv $Place '0 0 1688 kms9.corp.example.'
} -After @()

# quiet1.example.: nothing to do (10.0.0.53:53, serial 2026112201)

# quiet2.example.: nothing to do (10.0.0.53:53, serial 2026112201)

# unreadable.example.: error
#     it said ?[31m<img src=x onerror=alert(1)>?[0m |`x`| 'y' "z" ; $(reboot) '; Stop-Computer #? &amp; ``` # end

if ($script:Failed) { exit 1 }
