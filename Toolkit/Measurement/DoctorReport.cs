namespace Toolkit.Measurement;

/// <summary>What this machine offers, and what keeps Toolkit from using more of it.</summary>
/// <param name="Findings">What was found, in the order to read it.</param>
/// <param name="Missing">One line for everything missing, which says how to get it.</param>
/// <param name="Ceiling">The measured ceilings; null where libtorch does not load.</param>
public sealed record DoctorReport(IReadOnlyList<DoctorFinding> Findings, IReadOnlyList<string> Missing, MachineCeiling? Ceiling)
{
    /// <summary>Whether Toolkit works here: libtorch is loaded. What is missing may still make it faster.</summary>
    public bool IsHealthy => Ceiling is not null;
}

/// <summary>One line of a <see cref="DoctorReport"/>.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Value">What was found.</param>
public sealed record DoctorFinding(string Name, string Value);
