using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>A long session stays small: what later cells inherit is not given to each of them again.</summary>
public sealed class SessionMemoryTests
{
    [Fact]
    public async Task HundredsOfCellsLeaveLittleBehind()
    {
        using var session = new ScriptSession();
        var cell = 0;
        await Cells("var n = 0;", 1);
        await Cells("n++;", 40);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await Cells("n++;", 200);
        var growth = GC.GetTotalMemory(forceFullCollection: true) - before;
        // About 0.1 MB a cell; references that were given to every cell again made it 1 MB, and more with every cell.
        Assert.InRange(growth, long.MinValue, 60_000_000);

        async Task Cells(string code, int count)
        {
            for (var i = 0; i < count; i++)
            {
                Assert.Null(await session.Run(new RunCell(code, ++cell), _ => { }, cancellation: TestContext.Current.CancellationToken));
            }
        }
    }
}
