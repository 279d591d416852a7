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
