namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// A function that goes on to another with the same three arguments, after telling libtorch that this thread is in no parallel region. <c>torch_parallel_for</c> calls what it is given inside one,
/// where operators use a single thread. It is machine code: nothing managed may lie between an operator that throws and whoever catches that, and code that ends in a jump leaves nothing there.
/// </summary>
internal static class ParallelCode
{
    /// <summary>The function; the other one itself where there is no code for this machine.</summary>
    /// <param name="guard">libtorch's constructor <c>c10::ParallelGuard(bool)</c>; 0 where there is none.</param>
    /// <param name="next">The function to go on to.</param>
    public static nint Before(nint guard, nint next)
    {
        if (guard == 0 || next == 0)
        {
            return next;
        }

        var place = MachineCode.Place([
            0x57,                         // push rdi
            0x56,                         // push rsi
            0x52,                         // push rdx
            0x48, 0x83, 0xEC, 0x10,       // sub rsp, 16: place for the guard, which is never destroyed: torch_parallel_for's own puts back what was
            0x48, 0x89, 0xE7,             // mov rdi, rsp
            0x31, 0xF6,                   // xor esi, esi
            0x48, 0xB8, .. Bytes(guard),  // mov rax, guard
            0xFF, 0xD0,                   // call rax
            0x48, 0x83, 0xC4, 0x10,       // add rsp, 16
            0x5A,                         // pop rdx
            0x5E,                         // pop rsi
            0x5F,                         // pop rdi
            0x48, 0xB8, .. Bytes(next),   // mov rax, next
            0xFF, 0xE0,                   // jmp rax
        ]);
        return place == 0 ? next : place;
    }

    private static byte[] Bytes(nint address) => BitConverter.GetBytes((long)address);
}
